/**
 * What the guest's shell can do, for the commands of a rehearsal. LIMIT is a number of
 * looks, each a fiftieth of a second or more. A function prints what was found line by
 * line, and what went wrong in the words of the programs; what the files of a livepatch
 * or a task mean is read by the host.
 */
export const GUEST_FUNCTIONS = `
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

# while_reads FILE VALUE LIMIT: until FILE reads otherwise, or is gone; 2 where it still reads so after LIMIT looks.
while_reads() {
  n=0
  while read -r now 2> /dev/null < "$1" && [ "$now" = "$2" ]; do
    n=$((n + 1)); [ $n -gt "$3" ] && return 2
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

# files_below DIRECTORY: a line for each file that can be read, its path and its first line; that of a directory ends with a slash. The outermost come last: of much output the end is kept.
files_below() (
  cd "$1" 2> /dev/null || return 0
  for path in */* *; do
    if [ -d "$path" ]; then echo "$path/"
    elif read -r line 2> /dev/null < "$path"; then echo "$path $line"; fi
  done
)

# tasks STATE: at most 20 tasks whose patch_state it is, and some of their files, each line behind its file's name.
tasks() {
  n=0
  for task in /proc/[0-9]*/task/[0-9]*; do
    read -r s 2> /dev/null < "$task/patch_state" && [ "$s" = "$1" ] || continue
    pid=\${task#/proc/}
    echo "task \${pid%%/*} \${task##*/}"
    for file in comm stat stack; do head -n 24 "$task/$file" 2> /dev/null | sed "s/^/$file /"; done
    n=$((n + 1)); [ $n -ge 20 ] && return
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
  [ ! -d "/sys/kernel/livepatch/$1" ] || { echo "it is still enabled"; return 1; }
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
