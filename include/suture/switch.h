/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What suture's linker lays down for switch.c, in a livepatch whose functions
 * are all switched at one moment: src/link/switch.ts writes the same layout.
 */
#ifndef SUTURE_SWITCH_H
#define SUTURE_SWITCH_H

#include <linux/types.h>

struct klp_object;

#define SUTURE_JUMP_SIZE 5

/* Where a function of the running object is led to its new version. */
struct suture_place {
	u8 *at;
	const void *to;
	const char *name;
	/* What has to be there before; bits that are not in the mask are not compared. */
	u8 expected[8];
	u8 mask[8];
	/* What was there: kept for the way back. */
	u8 saved[8];
};

/* A word of a variable or constant in use, or what is left of it at its end. */
struct suture_word {
	u8 *at;
	u8 before[8];
	u8 after[8];
	const char *name;
	u64 size;
	/* Bytes of what `after` points to, if the word is to point to a copy of that; 0 once there is one. */
	u64 copied;
	/* The entry of a table of sysctls that it is part of, or NULL: the kernel may have registered a copy of that. */
	const u8 *entry;
	u64 entry_size;
};

/* A stretch of code that no task may be in. */
struct suture_range {
	const u8 *from;
	u64 size;
	const char *name;
};

struct suture_switch {
	/* The livepatch's. */
	const char *name;
	struct suture_place *places;
	u64 place_count;
	/* The code of the running object that changes, with all of its parts. */
	const struct suture_range *old_code;
	u64 old_code_count;
	/* All code that the diff brings. */
	struct suture_range new_code;
	/* The diff's own callbacks, or NULL. */
	int (*pre_patch)(struct klp_object *object);
	void (*post_unpatch)(struct klp_object *object);
	struct suture_word *words;
	u64 word_count;
	/* Whether `after` of some word points into the livepatch. */
	u64 is_reachable;
};

#endif
