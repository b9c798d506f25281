// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/* Sends SIP over UDP at an offered rate, from one socket and many source addresses. */

#define _GNU_SOURCE
#include "load.h"

#include <linux/sock_diag.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, REPLY_ROOM = 2048, BUFFER_BYTES = 4 << 20 };

/* A sender that was held up makes up for no more than this: a quarter of what fits into a receive buffer of 4 MiB. */
static const double MOST_BEHIND_S = 0.01;
static const uint64_t LEAST_SLEEP_NS = 50000;

struct replies {
  uint64_t *sent_at; /* by place in the run, 0 once its reply was there */
  long long count, strange;
  struct histogram latency;
};

static int open_socket(void) {
  int socket_fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (socket_fd < 0) fail("socket");
  int bytes = BUFFER_BYTES;
  /* Bigger than the limit where we may; a reply that is lost here was not lost by the node. */
  int big = 4 * BUFFER_BYTES;
  if (setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big) != 0)
    setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
  if (bind(socket_fd, (struct sockaddr *)&any, sizeof any) != 0) fail("bind");
  return socket_fd;
}

static uint32_t lost_here(int socket_fd) {
  uint32_t numbers[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof numbers;
  if (getsockopt(socket_fd, SOL_SOCKET, SO_MEMINFO, numbers, &length) != 0) return 0;
  return numbers[SK_MEMINFO_DROPS];
}

static long take_replies(int socket_fd, struct replies *replies, const struct options *options, long long sent) {
  static char rooms[BATCH][REPLY_ROOM];
  struct iovec parts[BATCH];
  struct mmsghdr headers[BATCH];
  long taken = 0;
  for (;;) {
    for (int at = 0; at < BATCH; at++) {
      parts[at] = (struct iovec){rooms[at], REPLY_ROOM};
      headers[at] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[at], .msg_iovlen = 1}};
    }
    int got = recvmmsg(socket_fd, headers, BATCH, MSG_DONTWAIT, NULL);
    if (got <= 0) return taken;
    uint64_t now = now_ns();
    for (int at = 0; at < got; at++) {
      long long place = sequence_of(rooms[at], headers[at].msg_len) - options->first;
      if (place < 0 || place >= sent || replies->sent_at[place] == 0) {
        replies->strange++;
        continue;
      }
      record(&replies->latency, now - replies->sent_at[place]);
      replies->sent_at[place] = 0;
      replies->count++;
    }
    taken += got;
    if (got < BATCH) return taken;
  }
}

struct batch {
  struct message messages[BATCH];
  struct iovec parts[BATCH];
  struct mmsghdr headers[BATCH];
  _Alignas(struct cmsghdr) char controls[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void prepare(struct batch *batch, const struct options *options) {
  for (int at = 0; at < BATCH; at++) {
    write_message(&batch->messages[at], "UDP");
    batch->parts[at] = (struct iovec){batch->messages[at].bytes, batch->messages[at].length};
    batch->headers[at].msg_hdr = (struct msghdr){
        .msg_name = (void *)&options->to,
        .msg_namelen = sizeof options->to,
        .msg_iov = &batch->parts[at],
        .msg_iovlen = 1,
        .msg_control = batch->controls[at],
        .msg_controllen = sizeof batch->controls[at],
    };
    struct cmsghdr *control = CMSG_FIRSTHDR(&batch->headers[at].msg_hdr);
    control->cmsg_level = IPPROTO_IP;
    control->cmsg_type = IP_PKTINFO;
    control->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  }
}

static void address_from(struct batch *batch, int at, int source) {
  struct in_pktinfo from = {.ipi_spec_dst = source_address(source).sin_addr};
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&batch->headers[at].msg_hdr)), &from, sizeof from);
}

/* Sends up to `wanted` messages, numbered on from `sent`; gives how many went out. */
static int send_some(int socket_fd, struct batch *batch, const struct options *options, long long sent, int wanted,
                     struct replies *replies) {
  for (int at = 0; at < wanted; at++) {
    number_message(&batch->messages[at], options->first + sent + at, options->numbers);
    address_from(batch, at, (int)((sent + at) % options->sources));
  }
  if (replies->sent_at != NULL) {
    uint64_t now = now_ns();
    for (int at = 0; at < wanted; at++) replies->sent_at[sent + at] = now;
  }
  int went = sendmmsg(socket_fd, batch->headers, (unsigned)wanted, 0);
  return went < 0 ? 0 : went;
}

static void sleep_until(int socket_fd, uint64_t due_ns, bool wakes_for_replies) {
  uint64_t now = now_ns();
  uint64_t ns = due_ns > now + LEAST_SLEEP_NS ? due_ns - now : LEAST_SLEEP_NS;
  struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  struct pollfd one = {.fd = socket_fd, .events = POLLIN};
  ppoll(&one, wakes_for_replies ? 1 : 0, &time, NULL);
}

void send_datagrams(const struct options *options) {
  static struct batch batch;
  static struct replies replies;
  long long count = options->count;
  if (count == 0) count = options->rate > 0 ? (long long)(options->rate * options->seconds) : MAX_COUNT;
  if (options->replies && (replies.sent_at = calloc((size_t)count, sizeof *replies.sent_at)) == NULL) fail("calloc");
  int socket_fd = open_socket();
  prepare(&batch, options);
  uint64_t start = now_ns(), paced_from = start, end = start + (uint64_t)(options->seconds * 1e9);
  long long sent = 0, paced = 0;
  uint64_t now = start;
  for (; sent < count && now < end; now = now_ns()) {
    double behind = options->rate == 0 ? (double)BATCH : (double)(now - paced_from) / 1e9 * options->rate - (double)paced;
    if (options->rate > 0 && behind > options->rate * MOST_BEHIND_S + BATCH) {
      paced_from = now;
      paced = 0;
      behind = BATCH;
    }
    int wanted = behind > BATCH ? BATCH : (int)behind;
    if (wanted > count - sent) wanted = (int)(count - sent);
    int went = wanted > 0 ? send_some(socket_fd, &batch, options, sent, wanted, &replies) : 0;
    sent += went;
    paced += went;
    if (options->replies) take_replies(socket_fd, &replies, options, sent);
    if (wanted <= 0) {
      uint64_t due = paced_from + (uint64_t)((double)(paced + 1) / options->rate * 1e9);
      sleep_until(socket_fd, due, options->replies);
    }
  }
  double elapsed_s = (double)(now - start) / 1e9;
  for (uint64_t quiet_from = now_ns(); options->replies && replies.count < sent;) {
    if (take_replies(socket_fd, &replies, options, sent) > 0) quiet_from = now_ns();
    if (now_ns() - quiet_from > (uint64_t)options->wait_ms * 1000000u) break;
    sleep_until(socket_fd, now_ns() + 10000000u, true);
  }
  printf("{\"sent\":%lld,\"elapsedS\":%.6f,\"replies\":%lld,\"strange\":%lld,\"lostHere\":%u,"
         "\"p50Ms\":%.4f,\"p99Ms\":%.4f,\"maxMs\":%.4f}\n",
         sent, elapsed_s, replies.count, replies.strange, lost_here(socket_fd), quantile_ms(&replies.latency, 0.5),
         quantile_ms(&replies.latency, 0.99), (double)replies.latency.max / 1e6);
}
