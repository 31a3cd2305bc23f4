/**
 * What the guest's shell can do about livepatches, for the commands of a
 * trial. LIMIT is a number of looks, each a fiftieth of a second or more. A function prints what was found
 * as lines of `key value...`, and what went wrong in the words of the programs.
 *
 * The files read are those of the kernel's Documentation/ABI/testing/sysfs-kernel-livepatch.
 */
export const GUEST_FUNCTIONS = `
klp=/sys/kernel/livepatch

# tick: the command gets on, however slowly: the host counts its patience from here. The guest's init has the token.
tick() {
  echo "<7>suture $token tick" > /dev/kmsg
}

# poll N: between two looks at something; N counts them.
poll() {
  [ $(($1 % 50)) = 0 ] && tick
  usleep 20000
}

# load FILE...: each module that is not loaded yet, in order.
load() {
  for file; do
    name=\${file##*/}; name=\${name%.ko}
    [ -d "/sys/module/$(echo "$name" | tr - _)" ] || insmod "$file" || return
  done
}

# load_livepatch FILE NAME LIMIT
load_livepatch() {
  insmod "$1" || return
  await_transition "$2" "$3" 0 && state "$2"
}

# disable_livepatch NAME LIMIT: 1, and nothing said, where it is gone already.
disable_livepatch() {
  echo 0 > "$klp/$1/enabled" || return
  n=0
  while [ -d "$klp/$1" ]; do
    n=$((n + 1)); [ $n -gt "$2" ] && { holders 1; return 2; }
    poll $n
  done
}

# await_transition NAME LIMIT STATE: tasks in STATE hold the transition up.
await_transition() {
  n=0
  while read -r t 2> /dev/null < "$klp/$1/transition" && [ "$t" = 1 ]; do
    n=$((n + 1)); [ $n -gt "$2" ] && { holders "$3"; return 2; }
    poll $n
  done
}

# limited LIMIT COMMAND...: its exit status, or 124 where it has not ended after LIMIT looks, and was killed.
limited() {
  limit=$1; shift
  rm -f /suture/limited.status
  setsid sh -c '"$@"; echo $? > /suture/limited.new; mv /suture/limited.new /suture/limited.status' sh "$@" &
  group=$!
  n=0
  while [ ! -e /suture/limited.status ]; do
    n=$((n + 1)); [ $n -gt "$limit" ] && { kill -KILL "-$group"; return 124; }
    poll $n
  done
  return "$(cat /suture/limited.status)"
}

# holders STATE: at most 20 tasks that are in it, with their stacks.
holders() {
  n=0
  for task in /proc/[0-9]*/task/[0-9]*; do
    read -r s 2> /dev/null < "$task/patch_state" && [ "$s" = "$1" ] || continue
    read -r comm 2> /dev/null < "$task/comm"
    echo "holder \${task##*/} $comm: $(head -n 24 "$task/stack" 2> /dev/null | sed 's/^\\[<0>\\] //' | tr '\\n' ' ')"
    n=$((n + 1)); [ $n -ge 20 ] && return
  done
}

# state NAME: whether it is enabled, and each object's "patched" (a ? where the kernel does not say) and number of funcs.
state() {
  echo "enabled $(cat "$klp/$1/enabled")"
  for object in "$klp/$1"/*/; do
    object=\${object%/}
    p='?'; [ -e "$object/patched" ] && read -r p < "$object/patched"
    set -- "$1" "$object"/*,*/
    [ -d "$2" ] && f=$(($# - 1)) || f=0
    echo "object \${object##*/} $p $f"
  done
}

# unload NAME: a module that is busy for a moment is tried again for five seconds.
unload() {
  n=0
  while ! said=$(rmmod "$1" 2>&1); do
    n=$((n + 1)); [ $n -gt 100 ] && { echo "$said"; return 1; }
    usleep 50000
  done
  [ ! -e "/sys/module/$1" ]
}

# stays NAME: a module that holds itself is disabled and not unloaded.
stays() {
  [ ! -d "$klp/$1" ] || { echo "it is still enabled"; return 1; }
  ! rmmod "$1" 2> /dev/null || { echo "it could be unloaded, although something of it may be used after it"; return 1; }
  [ -e "/sys/module/$1" ]
}

# try_unload NAME...: whatever of it can be unloaded now.
try_unload() {
  for name; do [ ! -d "/sys/module/$name" ] || rmmod "$name" 2> /dev/null; done
  for name; do [ ! -d "/sys/module/$name" ] || echo "loaded $name"; done
}

# identity: which boot of which kernel this is, and for how long.
identity() {
  echo "boot $(cat /proc/sys/kernel/random/boot_id)"
  read -r up rest < /proc/uptime
  echo "uptime $up"
  echo "notes $(xxd -p /sys/kernel/notes | tr -d '\\n')"
}

# start_during FILE
start_during() {
  rm -f /suture/during.status
  setsid sh -c 'trap : TERM; sh "$1" > /suture/during.out 2>&1; echo $? > /suture/during.status' sh "$1" &
  echo $! > /suture/during.pid
}

# stop_during: SIGTERM to the workload if it still runs, then its status and what it printed.
stop_during() {
  was=ended
  [ -e /suture/during.status ] || { was=running; kill -TERM "-$(cat /suture/during.pid)"; }
  n=0
  while [ ! -e /suture/during.status ]; do
    n=$((n + 1)); [ $n -gt 500 ] && { kill -KILL "-$(cat /suture/during.pid)"; was=hung; break; }
    usleep 20000
  done
  echo "during $was $(cat /suture/during.status 2> /dev/null)"
  cat /suture/during.out
}
`;
