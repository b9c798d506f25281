// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything is bounded: what a command line asks beyond this is refused. */
enum { MAX_SOURCES = 32768, MAX_CONNECTIONS = 4096, MAX_SECONDS = 600, MAX_COUNT = 20000000 };

struct options {
  const char *command;
  struct sockaddr_in to;
  double rate;       /* messages a second, 0 for as many as possible */
  double seconds;    /* when it ends at the latest */
  long long count;   /* messages or requests, 0 for as many as fit into the seconds */
  long long first;   /* number of the first message: no two runs against one node may share any */
  int sources;       /* addresses of 127.0.0.0/8 to send from */
  int numbers;       /* different called numbers */
  int connections;   /* at a time */
  int window;        /* requests under way on a connection, 0 for no look at replies */
  int per_connection; /* messages on a connection before it is closed and opened anew, 0 for all */
  int wait_ms;       /* longest silence to wait for the last replies */
  bool replies;      /* a sender counts them, a floor sends them */
  const char *path;  /* %d is replaced by a called number, %a by an address */
  const char *file;
};

/* Times in nanoseconds, in buckets whose width is at most 1/64 of their value. */
struct histogram {
  uint64_t count, max;
  uint32_t buckets[64 * 64];
};

void record(struct histogram *histogram, uint64_t ns);
double quantile_ms(const struct histogram *histogram, double share);

uint64_t now_ns(void);
_Noreturn void fail(const char *what);
struct sockaddr_in source_address(int index);

/* A scanner's OPTIONS, written once and then changed in place: number, branch, tag and Call-ID. */
enum { MESSAGE_ROOM = 512 };
struct message {
  size_t length;
  char bytes[MESSAGE_ROOM];
};
void write_message(struct message *message, const char *transport);
void number_message(struct message *message, long long sequence, int numbers);
/* The sequence number in the branch of a reply, -1 when there is none. */
long long sequence_of(const char *bytes, size_t length);
long long called_number(long long sequence, int numbers);

/* Counts empty lines, which end messages without a body, in a stream that comes in pieces; `state` starts as 0. */
long count_ends(int *state, const char *bytes, size_t length);

void send_datagrams(const struct options *options);
void run_udp_floor(const struct options *options);
void run_tcp_floor(const struct options *options);
void load_tcp(const struct options *options);
void load_http(const struct options *options);

#endif
