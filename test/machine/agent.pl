#!/usr/bin/perl
# Runs what the second serial port asks for, a command at a time, as root.
# Asked: "ID BYTES\n" and the command. Answered: "ID STATUS BYTES\n" and what it
# has printed. It greets with "hello BOOT\n", once for each start of the system.
use strict;
use warnings;

my $port = '/dev/ttyS1';
system('stty', '-F', $port, 'raw', '-echo') == 0 or die "stty $port\n";
open(my $line, '+<:raw', $port) or die "$port: $!\n";

sub say_all {
  my ($bytes) = @_;
  while (length $bytes) {
    my $wrote = syswrite($line, $bytes) // die "write: $!\n";
    substr($bytes, 0, $wrote, '');
  }
}

my $got = '';
sub more { sysread($line, $got, 4096, length $got) or die "read: $!\n" }

open(my $id, '<', '/proc/sys/kernel/random/boot_id') or die "boot_id: $!\n";
chomp(my $boot = <$id>);
say_all("hello $boot\n");

while (1) {
  more() until $got =~ /\n/;
  $got =~ s/^(.*?)\n//;
  my ($job, $length) = $1 =~ /^(\d+) (\d+)$/ or next;
  more() until length $got >= $length;
  my $command = substr($got, 0, $length, '');
  my $output = "/run/agent-$job";
  my $child = fork() // die "fork: $!\n";
  if ($child == 0) {
    open(STDIN, '<', '/dev/null');
    open(STDOUT, '>', $output) or die "$output: $!\n";
    open(STDERR, '>&', \*STDOUT);
    close($line);
    exec('/bin/sh', '-c', $command) or exit 127;
  }
  waitpid($child, 0);
  my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
  open(my $said, '<:raw', $output) or die "$output: $!\n";
  my $bytes = do { local $/; <$said> } // '';
  unlink $output;
  say_all("$job $status " . length($bytes) . "\n$bytes");
}
