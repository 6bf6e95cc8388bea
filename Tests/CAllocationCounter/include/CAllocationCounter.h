// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/* Counts what the calling thread asks of malloc and its relatives, from the start to the stop. The test
   program's own malloc stands in front of the C library's for this; it only counts and passes on. */
void martlet_allocation_count_start(void);
long martlet_allocation_count_stop(void);
