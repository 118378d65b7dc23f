// SPDX-License-Identifier: Apache-2.0
// The generated skeleton, after the types that it uses without declaring them.
#pragma once

#include "netwatch/abi/tables.h"
//
#include <netwatch.skel.h>
