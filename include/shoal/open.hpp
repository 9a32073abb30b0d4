// SPDX-License-Identifier: MIT
#pragma once

namespace shoal {

// What a constructor does about the name it is given. Every constructor takes it last.
//
//   or_create   finds what is there, else makes it
//   create      makes it; throws AlreadyExists where the name is taken
//   existing    finds it; throws NotFound where there is none
//
// Of two processes that create the same name at once, exactly one does; with or_create the other
// one finds it, whole.
enum class Open { or_create, create, existing };

}  // namespace shoal
