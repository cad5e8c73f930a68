#!/usr/bin/perl
# Hashes, regular expressions, sorting, closures and text; prints one line a task. usage: work.pl [ROUNDS]
use strict;
use warnings;

my $state;
sub draw { $state = ($state * 1664525 + 1013904223) % 4294967296; return int($state / 65536) % $_[0]; }
sub word { return join '', map { chr(97 + draw(26)) } 0 .. 1 + draw(8); }

sub digest {
    my $sum = 5381;
    $sum = ($sum * 33 + $_) % 4294967296 for unpack 'C*', $_[0];
    return $sum;
}

sub count_words {
    my %count;
    $count{ substr word(), 0, 3 }++ for 1 .. 20000;
    return join ' ', map { "$_=$count{$_}" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
}

sub parse_log {
    my $log = join "\n", map { sprintf '10.0.%d.%d - %s "GET /%s/%s?id=%d" %d', draw(256), draw(256), word(), word(), word(), draw(1000), draw(5) ? 200 : 404 } 1 .. 8000;
    my %pages;
    while ($log =~ m{^(\S+) - (\w+) "GET /(\w+)/(\w+)\?id=(\d+)" (\d+)$}mg) {
        push @{ $pages{$6}{ substr $3, 0, 1 } }, { address => $1, user => $2, page => $4, id => $5 };
    }
    my @out;
    for my $status (sort keys %pages) {
        for my $letter (sort keys %{ $pages{$status} }) {
            my @rows = sort { $a->{id} <=> $b->{id} || $a->{user} cmp $b->{user} } @{ $pages{$status}{$letter} };
            push @out, "$status $letter " . join ',', map { "$_->{user}:$_->{id}" } @rows;
        }
    }
    return join "\n", @out;
}

sub transform {
    my $text = join ' ', map { word() } 1 .. 12000;
    $text =~ s/([aeiou])([^aeiou\s])/$2$1/g;
    $text =~ s/\b(\w)(\w*)\b/\U$1\E$2/g;
    my @lines = $text =~ /(.{1,70})(?:\s+|$)/g;
    return join "\n", map { reverse($_) } @lines;
}

sub closures {
    my @counters = map { my $n = $_; my @seen; sub { push @seen, $_[0]; @seen = () if @seen > 20; return $n += $_[0]; } } 1 .. 500;
    my $total = 0;
    $total = ($total + $counters[draw(500)]->(draw(100))) % 1000000007 for 1 .. 60000;
    return $total;
}

my $rounds = @ARGV ? $ARGV[0] : 2;
for my $round (1 .. $rounds) {
    my %tasks = (count_words => \&count_words, parse_log => \&parse_log, transform => \&transform, closures => \&closures);
    for my $name (sort keys %tasks) {
        $state = $round;
        printf "%d %s %d\n", $round, $name, digest($tasks{$name}->());
    }
}
