// SPDX-License-Identifier: GPL-2.0
/*
 * Switches all functions of a livepatch at one moment, while every processor
 * stands still and no task is inside of what changes: the way for functions
 * that ftrace cannot take hold of (Ksplice's and kpatch's, before the kernel
 * had a livepatch core). A jump at the entry leads to the new version.
 *
 * suture compiles this as one more file of the livepatch that needs it.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kdebug.h>
#include <linux/kprobes.h>
#include <linux/livepatch.h>
#include <linux/memory.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/stop_machine.h>
#include <linux/sysctl.h>
#include <asm/sync_core.h>
#include <asm/text-patching.h>
#include <suture/livepatch.h>
#include <suture/switch.h>

#if !IS_ENABLED(CONFIG_X86_64) || !IS_ENABLED(CONFIG_SMP) || !IS_ENABLED(CONFIG_HAVE_RELIABLE_STACKTRACE)
#error "functions without an entry hook are switched on x86-64 only, with more than one processor and reliable stacks"
#endif
#if IS_ENABLED(CONFIG_PREEMPT_RT)
#error "functions without an entry hook cannot be switched where spinlocks sleep"
#endif

#define TRIES_TO_PATCH 10
#define TRIES_TO_UNPATCH 60
#define PAUSE_MS 100

extern struct suture_switch suture_switch;
/* Also where the object is built in, and THIS_MODULE would be NULL. */
extern struct module __this_module;
/* The kernel's, not exported and in none of its public headers. */
extern struct list_head klp_patches;

/* What a processor that waits has to see one after another: after each step it discards what it fetched ahead. */
enum step { CHECKING, BREAKPOINTS_ARE_IN, OPERANDS_ARE_IN, FINISHED };

struct stop {
	bool back;
	/* Whether it is only asked if a task is in the way. */
	bool is_look;
	atomic_t arrived;
	atomic_t synchronized;
	int step;
	/* 0; -EAGAIN where a task is in the way; -EBUSY where other bytes than ours are to be overwritten. */
	int result;
	const char *why;
	const char *function;
	/* What does not have the value that it is to be changed from. */
	const char *value;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

static bool is_switched;
static unsigned long stack[128];

static void next_step(struct stop *stop, enum step step)
{
	int others = num_online_cpus() - 1;

	atomic_set(&stop->synchronized, 0);
	smp_store_release(&stop->step, step);
	sync_core();
	while (atomic_read(&stop->synchronized) < others)
		cpu_relax();
}

static void wait_for_end(struct stop *stop)
{
	int seen = CHECKING;

	while (seen != FINISHED) {
		int step = smp_load_acquire(&stop->step);

		if (step == seen) {
			cpu_relax();
			continue;
		}
		seen = step;
		sync_core();
		atomic_inc(&stop->synchronized);
	}
}

static void jump_of(const struct suture_place *place, u8 *jump)
{
	s32 distance = (s32)((const u8 *)place->to - (place->at + SUTURE_JUMP_SIZE));

	jump[0] = 0xe9;
	memcpy(jump + 1, &distance, sizeof(distance));
}

/* Somebody else may hold the place: a kprobe, also one that is not armed, or another livepatch. */
static bool is_ours_to_write(const struct suture_place *place, bool back)
{
	u8 jump[SUTURE_JUMP_SIZE];
	int i;

	jump_of(place, jump);
	for (i = 0; i < SUTURE_JUMP_SIZE; i++) {
		u8 wanted = back ? jump[i] : place->expected[i];
		u8 mask = back ? 0xff : place->mask[i];

		if (((place->at[i] ^ wanted) & mask) != 0 || get_kprobe(place->at + i))
			return false;
	}
	return true;
}

/* On the way back what somebody has changed since stays as it is, and is told. */
static bool has_value(const struct suture_word *word, bool back)
{
	return memcmp(word->at, back ? word->after : word->before, word->size) == 0;
}

/* Both ends belong to the range: a call that never returns can be the last instruction. */
static bool is_in(const struct suture_range *range, unsigned long address)
{
	unsigned long from = (unsigned long)range->from;

	return address >= from && address <= from + range->size;
}

static bool is_in_the_way(struct stop *stop, struct task_struct *task)
{
	const struct suture_range *ranges = stop->back ? &suture_switch.new_code : suture_switch.old_code;
	u64 count = stop->back ? 1 : suture_switch.old_code_count;
	int depth, i;
	u64 k;

	/* The stopper threads, which this runs in. */
	if (READ_ONCE(task->on_cpu))
		return false;
	depth = stack_trace_save_tsk_reliable(task, stack, ARRAY_SIZE(stack));
	stop->why = depth < 0 ? "has a stack that cannot be read" : "is in";
	stop->function = depth < 0 ? "" : NULL;
	for (i = 0; i < depth && !stop->function; i++)
		for (k = 0; k < count && !stop->function; k++)
			if (is_in(&ranges[k], stack[i]))
				stop->function = ranges[k].name;
	if (!stop->function)
		return false;
	stop->pid = task->pid;
	memcpy(stop->comm, task->comm, sizeof(stop->comm));
	stop->comm[TASK_COMM_LEN - 1] = 0;
	return true;
}

static bool is_any_task_in_the_way(struct stop *stop)
{
	struct task_struct *process, *task;
	int cpu;

	/* Who changes the list cannot be preempted, so that it is whole. */
	for_each_process_thread(process, task)
		if (is_in_the_way(stop, task))
			return true;
	for_each_online_cpu(cpu)
		if (is_in_the_way(stop, idle_task(cpu)))
			return true;
	return false;
}

/*
 * A non-maskable interrupt can come at any point, so that no processor may
 * meet half a jump: a breakpoint stands over it until all of it is there.
 */
static void write_all(struct stop *stop)
{
	struct suture_place *place, *end = suture_switch.places + suture_switch.place_count;
	static const u8 breakpoint = 0xcc;
	const struct suture_word *word;
	u8 jump[SUTURE_JUMP_SIZE];

	for (place = suture_switch.places; place < end; place++) {
		if (!stop->back)
			memcpy(place->saved, place->at, SUTURE_JUMP_SIZE);
		text_poke_kgdb(place->at, &breakpoint, 1);
	}
	next_step(stop, BREAKPOINTS_ARE_IN);
	for (word = suture_switch.words; word < suture_switch.words + suture_switch.word_count; word++) {
		if (has_value(word, stop->back))
			text_poke_kgdb(word->at, stop->back ? word->before : word->after, word->size);
		else
			stop->value = word->name;
	}
	for (place = suture_switch.places; place < end; place++) {
		jump_of(place, jump);
		text_poke_kgdb(place->at + 1, (stop->back ? place->saved : jump) + 1, SUTURE_JUMP_SIZE - 1);
	}
	next_step(stop, OPERANDS_ARE_IN);
	for (place = suture_switch.places; place < end; place++) {
		jump_of(place, jump);
		text_poke_kgdb(place->at, stop->back ? place->saved : jump, 1);
	}
}

/* Runs on every processor, interrupts off; the first one to come does the work. */
static int notrace stand_still(void *data)
{
	struct stop *stop = data;
	u64 i;

	if (atomic_inc_return(&stop->arrived) != 1) {
		wait_for_end(stop);
		return 0;
	}
	for (i = 0; i < suture_switch.place_count && stop->result == 0 && !stop->is_look; i++) {
		if (is_ours_to_write(&suture_switch.places[i], stop->back))
			continue;
		stop->result = -EBUSY;
		stop->function = suture_switch.places[i].name;
	}
	for (i = 0; i < suture_switch.word_count && stop->result == 0 && !stop->back; i++) {
		if (has_value(&suture_switch.words[i], false))
			continue;
		stop->result = -EBUSY;
		stop->value = suture_switch.words[i].name;
	}
	if (stop->result == 0 && is_any_task_in_the_way(stop))
		stop->result = -EAGAIN;
	if (stop->result == 0 && !stop->is_look)
		write_all(stop);
	next_step(stop, FINISHED);
	return 0;
}

/* What a non-maskable interrupt meets while the jumps are written. */
static int notrace at_breakpoint(struct notifier_block *self, unsigned long event, void *data)
{
	const struct die_args *args = data;
	u64 i;

	if (event != DIE_INT3 || user_mode(args->regs))
		return NOTIFY_DONE;
	for (i = 0; i < suture_switch.place_count; i++) {
		if (args->regs->ip != (unsigned long)suture_switch.places[i].at + 1)
			continue;
		args->regs->ip = (unsigned long)suture_switch.places[i].to;
		return NOTIFY_STOP;
	}
	return NOTIFY_DONE;
}

static struct notifier_block breakpoints = { .notifier_call = at_breakpoint, .priority = INT_MAX };

static int try_once(struct stop *stop)
{
	cpus_read_lock();
	mutex_lock(&text_mutex);
	register_die_notifier(&breakpoints);
	/* It fails only where it could not stop all of them, and then has run on none. */
	if (stop_machine_cpuslocked(stand_still, stop, cpu_online_mask))
		stop->result = -EBUSY;
	unregister_die_notifier(&breakpoints);
	mutex_unlock(&text_mutex);
	cpus_read_unlock();
	return stop->result;
}

/* Returns 0, or -EBUSY when nothing was changed, and says why at `level`. */
static int switch_all(bool back, bool is_look, const char *level)
{
	int tries = back ? TRIES_TO_UNPATCH : TRIES_TO_PATCH;
	struct stop stop;

	do {
		memset(&stop, 0, sizeof(stop));
		stop.back = back;
		stop.is_look = is_look;
		if (try_once(&stop) != -EAGAIN)
			break;
		msleep(PAUSE_MS);
	} while (--tries > 0);
	if (stop.result == 0 && stop.value)
		pr_warn("%s: %s has been changed by somebody else, and stays as it is\n", suture_switch.name, stop.value);
	if (stop.result == 0)
		return 0;
	if (stop.value)
		printk("%s%s: %s has another value than it was built with\n", level, suture_switch.name, stop.value);
	else if (stop.result == -EAGAIN)
		printk("%s%s: the task %s (%d) %s %s\n", level, suture_switch.name, stop.comm, stop.pid, stop.why,
		       stop.function);
	else
		printk("%s%s: the entry of %s has been changed by somebody else\n", level, suture_switch.name,
		       stop.function ?: "its functions");
	return -EBUSY;
}

/* A livepatch on top of another one for the same function would be switched with it, and not by itself. */
static bool is_patched_already(void)
{
	struct klp_patch *patch;
	struct klp_object *object;
	struct klp_func *func;
	u64 i;

	list_for_each_entry(patch, &klp_patches, list)
		klp_for_each_object(patch, object)
			klp_for_each_func(object, func)
				for (i = 0; i < suture_switch.old_code_count; i++) {
					if (!func->old_func || !is_in(&suture_switch.old_code[i], (unsigned long)func->old_func))
						continue;
					pr_notice("%s: %s is patched by %s: disable that first\n", suture_switch.name,
						  suture_switch.old_code[i].name, patch->mod->name);
					return true;
				}
	return false;
}

/* Who has read the pointer may hold it for as long as it likes: the copies are never freed. */
static int make_copies(void)
{
	struct suture_word *word, *end = suture_switch.words + suture_switch.word_count;

	for (word = suture_switch.words; word < end; word++) {
		const void *copy;

		if (!word->copied)
			continue;
		memcpy(&copy, word->after, sizeof(copy));
		copy = kmemdup(copy, word->copied, GFP_KERNEL);
		if (!copy)
			return -ENOMEM;
		memcpy(word->after, &copy, sizeof(copy));
		word->copied = 0;
	}
	return 0;
}

/*
 * A task may have read a pointer into the livepatch just before that was taken
 * back, and not have called it yet: it will have by its next voluntary sleep, and
 * has left once no stack shows it.
 */
static int leave_new_code(void)
{
	if (!suture_switch.is_reachable)
		return 0;
	synchronize_rcu_tasks();
	return switch_all(true, true, KERN_WARNING);
}

#ifdef SUTURE_SYSCTL
extern struct ctl_table_root sysctl_table_root;

#define MOST_COPIES 4
#define MOST_DIRECTORIES 16

/* What is written where the words are parts of sysctls, and the words that the linker laid down meanwhile. */
static struct suture_word *live_words, *given_words;
static u64 live_count, live_room, given_count;

static void keep_entry(u8 *entry)
{
	u64 i;

	for (i = 0; i < given_count; i++) {
		const struct suture_word *word = &given_words[i];

		if (!word->entry || memcmp(entry, word->entry, word->entry_size) || live_count == live_room)
			continue;
		live_words[live_count] = *word;
		live_words[live_count++].at = entry + (word->at - word->entry);
	}
}

static void keep_entries(struct ctl_dir *dir, int depth)
{
	struct rb_node *at;

	for (at = rb_first(&dir->root); at; at = rb_next(at)) {
		struct ctl_node *node = rb_entry(at, struct ctl_node, node);
		struct ctl_table_header *header = node->header;
		u8 *entry = (u8 *)&header->ctl_table[node - header->node];

		if (!S_ISDIR(((const struct ctl_table *)entry)->mode))
			keep_entry(entry);
		else if (depth < MOST_DIRECTORIES)
			keep_entries(container_of(header, struct ctl_dir, header), depth + 1);
	}
}

/* Who changes the directories holds a spinlock, and so is not interrupted by this. */
static int notrace keep_all(void *data)
{
	keep_entries(&sysctl_table_root.default_set.dir, 0);
	return 0;
}

/* The kernel registers a table as it lies, or a copy of it where that has directories too: the words are where it reads them. */
static int find_sysctls(void)
{
	u64 i, k;

	given_words = suture_switch.words;
	given_count = suture_switch.word_count;
	live_room = given_count * MOST_COPIES;
	live_count = 0;
	live_words = kcalloc(live_room, sizeof(*live_words), GFP_KERNEL);
	if (!live_words)
		return -ENOMEM;
	for (i = 0; i < given_count; i++)
		if (!given_words[i].entry)
			live_words[live_count++] = given_words[i];
	if (stop_machine(keep_all, NULL, NULL))
		return -EBUSY;
	for (i = 0; i < given_count; i++) {
		for (k = 0; given_words[i].entry && k < live_count; k++)
			if (live_words[k].entry == given_words[i].entry)
				break;
		if (k < live_count && live_count < live_room)
			continue;
		pr_notice("%s: the entry of %s is not registered as it was built\n", suture_switch.name,
			  given_words[i].name);
		return -EBUSY;
	}
	suture_switch.words = live_words;
	suture_switch.word_count = live_count;
	return 0;
}

static void forget_sysctls(void)
{
	suture_switch.words = given_words;
	suture_switch.word_count = given_count;
	kfree(live_words);
	live_words = NULL;
}
#else
static int find_sysctls(void) { return 0; }
static void forget_sysctls(void) {}
#endif

static int to_new(struct klp_object *object)
{
	int result;

	if (is_switched || is_patched_already())
		return -EBUSY;
	/* The only means to write to constants looks their pages up in a way that such a kernel does not take. */
	if (IS_ENABLED(CONFIG_DEBUG_VIRTUAL) && suture_switch.word_count > 0)
		return -EOPNOTSUPP;
	result = make_copies();
	if (result)
		return result;
	result = find_sysctls();
	if (!result && suture_switch.pre_patch)
		result = suture_switch.pre_patch(object);
	if (result) {
		forget_sysctls();
		return result;
	}
	result = switch_all(false, false, KERN_NOTICE);
	if (result) {
		forget_sysctls();
		if (suture_switch.post_unpatch)
			suture_switch.post_unpatch(object);
		return result;
	}
	/* A livepatch that replaces this one never calls back, and the jumps lead here. */
	__module_get(&__this_module);
	is_switched = true;
	return 0;
}
SUTURE_PRE_PATCH(to_new);

static void to_old(struct klp_object *object)
{
	/* What is patched in a module that goes is gone with it. */
	bool is_gone = object->mod && object->mod->state == MODULE_STATE_GOING;

	if (is_switched && !is_gone && switch_all(true, false, KERN_WARNING)) {
		pr_warn("%s: it stays in use, and loaded\n", suture_switch.name);
		return;
	}
	if (is_switched && !is_gone && leave_new_code())
		pr_warn("%s: it stays loaded\n", suture_switch.name);
	else if (is_switched)
		module_put(&__this_module);
	if (is_switched)
		forget_sysctls();
	is_switched = false;
	if (suture_switch.post_unpatch)
		suture_switch.post_unpatch(object);
}
SUTURE_POST_UNPATCH(to_old);
