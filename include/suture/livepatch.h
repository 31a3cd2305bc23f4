/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For files of a source diff that suture makes a livepatch of: what the
 * livepatch does beyond replacing functions. The same words for the kernel and
 * for programs.
 *
 *	#include <suture/livepatch.h>
 *
 * See docs/callbacks.md, and the kernel's Documentation/livepatch.
 */
#ifndef SUTURE_LIVEPATCH_H
#define SUTURE_LIVEPATCH_H

#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>

#if !IS_ENABLED(CONFIG_LIVEPATCH)
#error "suture/livepatch.h needs a kernel with CONFIG_LIVEPATCH"
#endif

/* The livepatch that a callback's object is part of, for klp_get_state(). */
static inline struct klp_patch *suture_patch_of(struct klp_object *object)
{
	return container_of(object->kobj.parent, struct klp_patch, kobj);
}

#else
#include <suture/program.h>
#endif

/*
 * Callbacks of the object (vmlinux or a module, the executable or a library)
 * that the file is part of: at most one of each kind in an object, and each
 * outside of any function.
 *
 *	static int begin(struct klp_object *object) { ... return 0; }
 *	SUTURE_PRE_PATCH(begin);
 *
 * pre_patch runs before the object's functions are patched, and refuses the
 * livepatch by returning a negative error; post_patch runs when every task has
 * switched; pre_unpatch and post_unpatch likewise on the way back.
 */
#define SUTURE_PRE_PATCH(fn) __SUTURE_CALLBACK(pre_patch, int, fn)
#define SUTURE_POST_PATCH(fn) __SUTURE_CALLBACK(post_patch, void, fn)
#define SUTURE_PRE_UNPATCH(fn) __SUTURE_CALLBACK(pre_unpatch, void, fn)
#define SUTURE_POST_UNPATCH(fn) __SUTURE_CALLBACK(post_unpatch, void, fn)

/* A pointer in a section that only suture's linker reads. */
#define __SUTURE_CALLBACK(kind, type, fn)					\
	static_assert(__builtin_types_compatible_p(__typeof__(&(fn)),		\
						   type (*)(struct klp_object *)), \
		      "a " #kind " callback is " #type " (*)(struct klp_object *)"); \
	static type (*const suture_##kind)(struct klp_object *)			\
		__attribute__((__used__, __section__(".suture.callback." #kind))) = fn

/*
 * A system state that the livepatch changes, for compatibility between
 * livepatches (Documentation/livepatch/system-state): id is not 0, version
 * tells one way of changing it from the next.
 *
 *	SUTURE_STATE(CONSOLE_LOGLEVEL_STATE, 1);
 */
#define SUTURE_STATE(state_id, state_version)					\
	__SUTURE_STATE(state_id, state_version, __LINE__)
#define __SUTURE_STATE(state_id, state_version, unique)				\
	___SUTURE_STATE(state_id, state_version, unique)
#define ___SUTURE_STATE(state_id, state_version, unique)			\
	static_assert((state_id) != 0, "a system state has an id that is not 0"); \
	static struct klp_state suture_state_##unique				\
		__attribute__((__used__, __section__(".suture.states"),		\
			       __aligned__(__alignof__(struct klp_state)))) = {	\
		.id = (state_id),						\
		.version = (state_version),					\
	}

/*
 * Shadow variables: a member for objects that exist already, which is found by
 * the object's address (Documentation/livepatch/shadow-vars).
 *
 *	struct quota { u32 used; };
 *	SUTURE_SHADOW(sock_quota, 0x736b7131, struct quota);
 *
 * makes these, the variable being all zeros when it is new:
 *
 *	struct quota *sock_quota_get(void *of);
 *	struct quota *sock_quota_alloc(void *of, gfp_t flags);	 NULL if there is one
 *	struct quota *sock_quota_get_or_alloc(void *of, gfp_t flags);
 *	void sock_quota_free(void *of);
 *	void sock_quota_free_all(void);
 *
 * The id is shared by all livepatches of the running kernel, or of the process:
 * choose one that is yours alone. In a program flags mean nothing: give 0.
 */
#define SUTURE_SHADOW(name, shadow_id, type)					\
	static inline type *name##_get(void *of)				\
	{									\
		return klp_shadow_get(of, shadow_id);				\
	}									\
	static inline type *name##_alloc(void *of, gfp_t flags)			\
	{									\
		return klp_shadow_alloc(of, shadow_id, sizeof(type), flags,	\
					NULL, NULL);				\
	}									\
	static inline type *name##_get_or_alloc(void *of, gfp_t flags)		\
	{									\
		return klp_shadow_get_or_alloc(of, shadow_id, sizeof(type),	\
					       flags, NULL, NULL);		\
	}									\
	static inline void name##_free(void *of)				\
	{									\
		klp_shadow_free(of, shadow_id, NULL);				\
	}									\
	static inline void name##_free_all(void)				\
	{									\
		klp_shadow_free_all(shadow_id, NULL);				\
	}									\
	static_assert(sizeof(type) > 0, "a shadow variable has a size")

#endif
