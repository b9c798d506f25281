// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/* SIP over many TCP connections, and HTTP requests over connections that stay open. One thread, epoll. */

#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128, READ_BYTES = 65536, QUEUE_BYTES = 16384, HEAD_BYTES = 8192 };

struct connection {
  int socket_fd; /* -1 when closed */
  /* what is still to be written */
  char queue[QUEUE_BYTES];
  size_t queued, written;
  uint64_t since; /* when it was opened, or its request sent */
  /* SIP */
  long messages, under_way;
  int end_state;
  /* HTTP */
  char head[HEAD_BYTES];
  size_t head_length;
  bool in_body, is_chunked, is_first;
  long long body_left;
  char tail[7];
};

static struct {
  const struct options *options;
  struct connection *connections;
  int poll_fd, open;
  long long sent, done, failed, opened, bytes;
  uint64_t start, end;
  struct histogram first_byte, whole;
} load;

static bool is_over(void) {
  return now_ns() >= load.end || (load.options->count > 0 && load.sent >= load.options->count);
}

static void close_connection(struct connection *connection) {
  if (connection->socket_fd < 0) return;
  close(connection->socket_fd);
  connection->socket_fd = -1;
  load.open--;
}

static void open_connection(struct connection *connection) {
  *connection = (struct connection){.socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .since = now_ns()};
  if (connection->socket_fd < 0) fail("socket");
  int on = 1;
  setsockopt(connection->socket_fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
  setsockopt(connection->socket_fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in source = source_address((int)(load.opened % load.options->sources));
  if (bind(connection->socket_fd, (struct sockaddr *)&source, sizeof source) != 0) fail("bind");
  load.opened++;
  load.open++;
  struct epoll_event events = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
  epoll_ctl(load.poll_fd, EPOLL_CTL_ADD, connection->socket_fd, &events);
  if (connect(connection->socket_fd, (const struct sockaddr *)&load.options->to, sizeof load.options->to) == 0) return;
  if (errno == EINPROGRESS) return;
  load.failed++;
  close_connection(connection);
}

/* False when the other side is gone. */
static bool write_queue(struct connection *connection) {
  while (connection->written < connection->queued) {
    ssize_t went = write(connection->socket_fd, connection->queue + connection->written,
                         connection->queued - connection->written);
    if (went < 0) return errno == EAGAIN || errno == ENOTCONN;
    connection->written += (size_t)went;
  }
  connection->queued = connection->written = 0;
  return true;
}

static void start_load(const struct options *options) {
  load.options = options;
  load.connections = calloc((size_t)options->connections, sizeof *load.connections);
  load.poll_fd = epoll_create1(0);
  if (load.connections == NULL || load.poll_fd < 0) fail("start");
  load.start = now_ns();
  load.end = load.start + (uint64_t)(options->seconds * 1e9);
  for (int at = 0; at < options->connections; at++) open_connection(&load.connections[at]);
}

/* Serves the connections until all are closed, or some time after the end. */
static void run_load(void (*serve)(struct connection *, uint32_t)) {
  struct epoll_event events[EVENTS];
  uint64_t last = load.end + (uint64_t)load.options->wait_ms * 1000000u;
  while (load.open > 0 && now_ns() < last) {
    int ready = epoll_wait(load.poll_fd, events, EVENTS, 10);
    for (int at = 0; at < ready; at++) {
      struct connection *connection = events[at].data.ptr;
      if (connection->socket_fd >= 0) serve(connection, events[at].events);
    }
  }
}

/* ---- SIP ---- */

static struct message sip_message;

static bool is_used_up(const struct connection *connection) {
  return load.options->per_connection > 0 && connection->messages >= load.options->per_connection;
}

/* Puts more messages behind what is queued, as far as the window and the room allow. */
static void queue_messages(struct connection *connection) {
  int window = load.options->window;
  while (!is_over() && !is_used_up(connection) && (window == 0 || connection->under_way < window) &&
         connection->queued + sip_message.length <= QUEUE_BYTES) {
    number_message(&sip_message, load.options->first + load.sent, load.options->numbers);
    memcpy(connection->queue + connection->queued, sip_message.bytes, sip_message.length);
    connection->queued += sip_message.length;
    connection->messages++;
    connection->under_way++;
    load.sent++;
  }
}

static bool send_messages(struct connection *connection) {
  do {
    queue_messages(connection);
    if (connection->queued == 0) return true;
    if (!write_queue(connection)) return false;
  } while (connection->queued == 0);
  return true;
}

static bool read_replies(struct connection *connection) {
  static char bytes[READ_BYTES];
  for (;;) {
    ssize_t got = read(connection->socket_fd, bytes, sizeof bytes);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    long replies = count_ends(&connection->end_state, bytes, (size_t)got);
    load.done += replies;
    connection->under_way -= replies;
  }
}

static void serve_sip(struct connection *connection, uint32_t events) {
  bool fine = (events & (EPOLLERR | EPOLLHUP)) == 0;
  if (fine && (events & EPOLLIN)) fine = read_replies(connection);
  if (fine) fine = send_messages(connection);
  bool answered = load.options->window == 0 || connection->under_way <= 0;
  bool complete = connection->queued == 0 && answered && (is_used_up(connection) || is_over());
  if (fine && !complete) return;
  if (fine) record(&load.whole, now_ns() - connection->since);
  else load.failed++;
  close_connection(connection);
  if (!is_over()) open_connection(connection);
}

void load_tcp(const struct options *options) {
  write_message(&sip_message, "TCP");
  start_load(options);
  run_load(serve_sip);
  printf("{\"sent\":%lld,\"replies\":%lld,\"opened\":%lld,\"failed\":%lld,\"elapsedS\":%.6f,"
         "\"p50Ms\":%.4f,\"p99Ms\":%.4f}\n",
         load.sent, load.done, load.opened, load.failed, (double)(now_ns() - load.start) / 1e9,
         quantile_ms(&load.whole, 0.5), quantile_ms(&load.whole, 0.99));
}

/* ---- HTTP ---- */

static int write_path(char *path, size_t room, long long asked) {
  const char *pattern = load.options->path, *field = strchr(pattern, '%');
  if (field == NULL) return snprintf(path, room, "%s", pattern);
  char value[32];
  long long index = asked % load.options->numbers;
  if (field[1] == 'd') snprintf(value, sizeof value, "00%lld", called_number(index, load.options->numbers));
  else snprintf(value, sizeof value, "198.18.%lld.%lld", (index >> 8) & 255, index & 255);
  return snprintf(path, room, "%.*s%s%s", (int)(field - pattern), pattern, value, field + 2);
}

static bool ask(struct connection *connection) {
  char path[256];
  write_path(path, sizeof path, load.options->first + load.sent);
  int length = snprintf(connection->queue, QUEUE_BYTES, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
  connection->queued = (size_t)length;
  connection->head_length = 0;
  connection->in_body = connection->is_chunked = false;
  connection->is_first = true;
  connection->since = now_ns();
  connection->messages++;
  load.sent++;
  return write_queue(connection);
}

static const char *header(const char *head, const char *name) {
  const char *found = strcasestr(head, name);
  return found == NULL ? NULL : found + strlen(name);
}

/* Takes bytes of the head; gives how many of them belonged to it. */
static size_t take_head(struct connection *connection, const char *bytes, size_t length) {
  size_t before = connection->head_length, room = HEAD_BYTES - 1 - before;
  size_t taken = length < room ? length : room;
  memcpy(connection->head + before, bytes, taken);
  connection->head[before + taken] = '\0';
  connection->head_length += taken;
  char *end = strstr(connection->head, "\r\n\r\n");
  if (end == NULL) return taken;
  end[2] = '\0';
  connection->in_body = true;
  if (strncmp(connection->head, "HTTP/1.1 200", 12) != 0) load.failed++;
  const char *content_length = header(connection->head, "\r\ncontent-length:");
  connection->is_chunked = content_length == NULL;
  connection->body_left = content_length == NULL ? 0 : atoll(content_length);
  memset(connection->tail, 0, sizeof connection->tail);
  return (size_t)(end + 4 - connection->head) - before;
}

/* The last chunk is an empty one (RFC 9112 §7.1); JSON has no line breaks in it that could look like that. */
static bool ends_chunks(struct connection *connection, const char *bytes, size_t length) {
  size_t size = sizeof connection->tail;
  if (length >= size) memcpy(connection->tail, bytes + length - size, size);
  else {
    memmove(connection->tail, connection->tail + length, size - length);
    memcpy(connection->tail + size - length, bytes, length);
  }
  return memcmp(connection->tail, "\r\n0\r\n\r\n", size) == 0;
}

static bool take_body(struct connection *connection, const char *bytes, size_t length) {
  if (connection->is_chunked) return ends_chunks(connection, bytes, length);
  connection->body_left -= (long long)length;
  return connection->body_left <= 0;
}

/* True when the answer is complete. */
static bool take_answer(struct connection *connection, const char *bytes, size_t length) {
  if (connection->is_first) record(&load.first_byte, now_ns() - connection->since);
  connection->is_first = false;
  load.bytes += (long long)length;
  size_t used = connection->in_body ? 0 : take_head(connection, bytes, length);
  return connection->in_body && take_body(connection, bytes + used, length - used);
}

/* False when the connection is of no use any more. */
static bool read_answers(struct connection *connection) {
  static char bytes[READ_BYTES];
  for (;;) {
    ssize_t got = read(connection->socket_fd, bytes, sizeof bytes);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    if (!take_answer(connection, bytes, (size_t)got)) continue;
    record(&load.whole, now_ns() - connection->since);
    load.done++;
    if (is_over()) return false;
    if (!ask(connection)) return false;
  }
}

static void serve_http(struct connection *connection, uint32_t events) {
  bool fine = (events & EPOLLERR) == 0;
  if (fine && connection->messages == 0) fine = ask(connection);
  else if (fine && connection->queued > 0) fine = write_queue(connection);
  if (fine && (events & EPOLLIN)) fine = read_answers(connection);
  if (fine) return;
  if (!is_over()) load.failed++;
  close_connection(connection);
}

void load_http(const struct options *options) {
  start_load(options);
  run_load(serve_http);
  printf("{\"requests\":%lld,\"failed\":%lld,\"bytes\":%lld,\"elapsedS\":%.6f,"
         "\"firstP50Ms\":%.4f,\"firstP99Ms\":%.4f,\"p50Ms\":%.4f,\"p99Ms\":%.4f,\"maxMs\":%.4f}\n",
         load.done, load.failed, load.bytes, (double)(now_ns() - load.start) / 1e9,
         quantile_ms(&load.first_byte, 0.5), quantile_ms(&load.first_byte, 0.99), quantile_ms(&load.whole, 0.5),
         quantile_ms(&load.whole, 0.99), (double)load.whole.max / 1e6);
}
