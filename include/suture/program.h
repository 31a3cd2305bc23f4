/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What suture/livepatch.h takes from the kernel's headers in a kernel, for
 * programs: to be included by that one alone.
 */
#ifndef SUTURE_PROGRAM_H
#define SUTURE_PROGRAM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#ifndef static_assert
#define static_assert _Static_assert
#endif

/* Opaque: a callback is given NULL. */
struct klp_object;

struct klp_state {
	unsigned long id;
	unsigned int version;
};

typedef unsigned int gfp_t;

typedef int (*klp_shadow_ctor_t)(void *obj, void *shadow_data, void *ctor_data);
typedef void (*klp_shadow_dtor_t)(void *obj, void *shadow_data);

struct suture_shadow {
	struct suture_shadow *next;
	void *of;
	unsigned long id;
	_Alignas(16) unsigned char data[];
};

#define SUTURE_SHADOW_BUCKETS 510

/* One in a process, made by suture and kept until its last livepatch is unloaded. */
struct suture_shadows {
	unsigned long lock;
	unsigned long reserved;
	struct suture_shadow *buckets[SUTURE_SHADOW_BUCKETS];
};

/* Filled in when the livepatch is loaded. */
static struct suture_shadows *volatile suture_shadows
	__attribute__((__section__(".suture.shadows"), __unused__)) = NULL;

static inline struct suture_shadow **suture_shadow_bucket(struct suture_shadows *all, void *of, unsigned long id)
{
	return &all->buckets[(((unsigned long)of >> 4) * 31 + id) % SUTURE_SHADOW_BUCKETS];
}

static inline void suture_shadow_lock(struct suture_shadows *all)
{
	while (__atomic_exchange_n(&all->lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

static inline void suture_shadow_unlock(struct suture_shadows *all)
{
	__atomic_store_n(&all->lock, 0, __ATOMIC_RELEASE);
}

static inline struct suture_shadow *suture_shadow_find(struct suture_shadows *all, void *of, unsigned long id)
{
	struct suture_shadow *it = *suture_shadow_bucket(all, of, id);

	while (it && (it->of != of || it->id != id))
		it = it->next;
	return it;
}

static inline void *klp_shadow_get(void *of, unsigned long id)
{
	struct suture_shadows *all = suture_shadows;
	struct suture_shadow *it;

	suture_shadow_lock(all);
	it = suture_shadow_find(all, of, id);
	suture_shadow_unlock(all);
	return it ? it->data : NULL;
}

static inline void *suture_shadow_make(void *of, unsigned long id, size_t size, bool may_be_there,
				       klp_shadow_ctor_t ctor, void *ctor_data)
{
	struct suture_shadows *all = suture_shadows;
	struct suture_shadow *made = (struct suture_shadow *)calloc(1, sizeof(*made) + size);
	struct suture_shadow *it, **bucket;

	if (!made)
		return NULL;
	made->of = of;
	made->id = id;
	suture_shadow_lock(all);
	it = suture_shadow_find(all, of, id);
	if (!it && (!ctor || ctor(of, made->data, ctor_data) == 0)) {
		bucket = suture_shadow_bucket(all, of, id);
		made->next = *bucket;
		*bucket = it = made;
		may_be_there = true;
		made = NULL;
	}
	suture_shadow_unlock(all);
	free(made);
	return it && may_be_there ? it->data : NULL;
}

static inline void *klp_shadow_alloc(void *of, unsigned long id, size_t size, gfp_t flags,
				     klp_shadow_ctor_t ctor, void *ctor_data)
{
	(void)flags;
	return suture_shadow_make(of, id, size, false, ctor, ctor_data);
}

static inline void *klp_shadow_get_or_alloc(void *of, unsigned long id, size_t size, gfp_t flags,
					    klp_shadow_ctor_t ctor, void *ctor_data)
{
	void *there = klp_shadow_get(of, id);

	(void)flags;
	return there ? there : suture_shadow_make(of, id, size, true, ctor, ctor_data);
}

/* Takes out of one bucket all that match; of is NULL for any. */
static inline void suture_shadow_drop(struct suture_shadow **at, void *of, unsigned long id, klp_shadow_dtor_t dtor)
{
	struct suture_shadow *it;

	while ((it = *at)) {
		if (it->id != id || (of && it->of != of)) {
			at = &it->next;
			continue;
		}
		*at = it->next;
		if (dtor)
			dtor(it->of, it->data);
		free(it);
	}
}

static inline void klp_shadow_free(void *of, unsigned long id, klp_shadow_dtor_t dtor)
{
	struct suture_shadows *all = suture_shadows;

	suture_shadow_lock(all);
	suture_shadow_drop(suture_shadow_bucket(all, of, id), of, id, dtor);
	suture_shadow_unlock(all);
}

static inline void klp_shadow_free_all(unsigned long id, klp_shadow_dtor_t dtor)
{
	struct suture_shadows *all = suture_shadows;
	size_t i;

	suture_shadow_lock(all);
	for (i = 0; i < SUTURE_SHADOW_BUCKETS; i++)
		suture_shadow_drop(&all->buckets[i], NULL, id, dtor);
	suture_shadow_unlock(all);
}

#endif
