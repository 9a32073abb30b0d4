// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>
#include <shoal/detail/object.hpp>
#include <shoal/shoal.hpp>
