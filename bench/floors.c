// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * Floors: what a program has to do at the very least. `sink` receives datagrams; `store` receives them, reads the
 * headers that an event needs, and appends rows to one plain table, whose commits a thread of its own waits for; both
 * can send one short reply each, `store` after the commit. `tcp-sink` reads streams and counts messages.
 *
 * The first line on stdout has the port. Each line on stdin is answered with the counts, its end ends the program.
 */

#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef WITH_SQLITE
#include <sqlite3.h>
#endif

enum { BATCH = 64, SLOT_BYTES = 1024, SLOTS = 65536, BUFFER_BYTES = 4 << 20, ROWS_A_COMMIT = 1000, REPLY_BYTES = 512 };
enum { STREAM_BYTES = 65536, BACKLOG = 511 };

struct packet {
  struct sockaddr_in from;
  uint32_t length;
  char bytes[SLOT_BYTES - sizeof(struct sockaddr_in) - sizeof(uint32_t)];
};

/* One thread fills it and one empties it: the places between `taken` and `filled` belong to the second. */
struct ring {
  struct packet *packets;
  _Atomic uint64_t filled, taken;
  _Atomic bool waits;
  sem_t wakes;
};

static struct {
  int socket_fd;
  bool replies;
  struct ring ring;
  _Atomic long long received, stored, replied;
} floor_state;

struct text {
  const char *at;
  int length;
};

struct fields {
  struct text method, user, via, from, to, call_id, cseq, agent;
};

static struct text user_of(const char *at, const char *end) {
  const char *user = memmem(at, (size_t)(end - at), "sip:", 4);
  if (user == NULL) return (struct text){at, 0};
  const char *stop = memchr(user, '@', (size_t)(end - user));
  return stop == NULL ? (struct text){at, 0} : (struct text){user + 4, (int)(stop - user - 4)};
}

static bool is_header(const char *line, size_t length, const char *name, size_t name_length) {
  return length > name_length && line[name_length] == ':' && memcmp(line, name, name_length) == 0;
}

/* What a row and a reply need, found line by line. Names are taken as our own sender writes them. */
static struct fields read_fields(const struct packet *packet) {
  struct fields fields = {0};
  const char *at = packet->bytes, *end = at + packet->length;
  for (int line = 0; at < end; line++) {
    const char *stop = memchr(at, '\r', (size_t)(end - at));
    size_t length = (size_t)((stop == NULL ? end : stop) - at);
    if (length == 0) break;
    struct text whole = {at, (int)length};
    if (line == 0) {
      const char *space = memchr(at, ' ', length);
      fields.method = (struct text){at, space == NULL ? 0 : (int)(space - at)};
    } else if (is_header(at, length, "Via", 3)) fields.via = whole;
    else if (is_header(at, length, "From", 4)) fields.from = whole;
    else if (is_header(at, length, "To", 2)) {
      fields.to = whole;
      fields.user = user_of(at, at + length);
    } else if (is_header(at, length, "Call-ID", 7)) fields.call_id = whole;
    else if (is_header(at, length, "CSeq", 4)) fields.cseq = whole;
    else if (is_header(at, length, "User-Agent", 10)) fields.agent = (struct text){at + 12, (int)length - 12};
    at += length + 2;
  }
  return fields;
}

static size_t write_reply(char *reply, const struct fields *fields) {
  int length = snprintf(reply, REPLY_BYTES,
                        "SIP/2.0 200 OK\r\n%.*s\r\n%.*s\r\n%.*s;tag=floor\r\n%.*s\r\n%.*s\r\nContent-Length: 0\r\n\r\n",
                        fields->via.length, fields->via.at, fields->from.length, fields->from.at, fields->to.length,
                        fields->to.at, fields->call_id.length, fields->call_id.at, fields->cseq.length, fields->cseq.at);
  return length < REPLY_BYTES ? (size_t)length : REPLY_BYTES - 1;
}

static void reply_to(struct packet *packets[], const struct fields *fields, int count) {
  static _Thread_local char replies[BATCH][REPLY_BYTES];
  struct iovec parts[BATCH];
  struct mmsghdr headers[BATCH];
  for (int at = 0; at < count; at++) {
    parts[at] = (struct iovec){replies[at], write_reply(replies[at], &fields[at])};
    headers[at] = (struct mmsghdr){.msg_hdr = {.msg_name = &packets[at]->from,
                                               .msg_namelen = sizeof packets[at]->from,
                                               .msg_iov = &parts[at],
                                               .msg_iovlen = 1}};
  }
  int went = sendmmsg(floor_state.socket_fd, headers, (unsigned)count, 0);
  if (went > 0) floor_state.replied += went;
}

static void reply_to_all(struct packet *packets[], int count) {
  struct fields fields[BATCH];
  for (int at = 0; at < count; at++) fields[at] = read_fields(packets[at]);
  reply_to(packets, fields, count);
}

/* Receives into places that are one behind the other; gives how many were filled. */
static int receive_into(struct packet *first, int places) {
  struct iovec parts[BATCH];
  struct mmsghdr headers[BATCH];
  if (places > BATCH) places = BATCH;
  for (int at = 0; at < places; at++) {
    parts[at] = (struct iovec){first[at].bytes, sizeof first[at].bytes};
    headers[at] = (struct mmsghdr){.msg_hdr = {.msg_name = &first[at].from,
                                               .msg_namelen = sizeof first[at].from,
                                               .msg_iov = &parts[at],
                                               .msg_iovlen = 1}};
  }
  int got = recvmmsg(floor_state.socket_fd, headers, (unsigned)places, MSG_WAITFORONE, NULL);
  for (int at = 0; at < got; at++) first[at].length = headers[at].msg_len;
  return got < 0 ? 0 : got;
}

static void *count_datagrams(void *unused) {
  static struct packet packets[BATCH];
  struct packet *all[BATCH];
  for (int at = 0; at < BATCH; at++) all[at] = &packets[at];
  for (;;) {
    int got = receive_into(packets, BATCH);
    floor_state.received += got;
    if (floor_state.replies && got > 0) reply_to_all(all, got);
  }
  return unused;
}

static void *receive_for_store(void *unused) {
  struct ring *ring = &floor_state.ring;
  for (;;) {
    uint64_t filled = ring->filled;
    uint64_t left = SLOTS - (filled - ring->taken), to_end = SLOTS - filled % SLOTS;
    if (left == 0) {
      usleep(100); /* full: the kernel's buffer is next */
      continue;
    }
    int got = receive_into(&ring->packets[filled % SLOTS], (int)(left < to_end ? left : to_end));
    if (got == 0) continue;
    ring->filled = filled + (uint64_t)got;
    floor_state.received += got;
    if (atomic_exchange(&ring->waits, false)) sem_post(&ring->wakes);
  }
  return unused;
}

#ifdef WITH_SQLITE
struct table {
  sqlite3 *database;
  sqlite3_stmt *begin, *insert, *commit;
};

static void check(sqlite3 *database, int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE) return;
  fprintf(stderr, "load: %s\n", sqlite3_errmsg(database));
  exit(1);
}

static struct table open_table(const char *file) {
  struct table table;
  check(NULL, sqlite3_open(file, &table.database));
  check(table.database, sqlite3_exec(table.database,
                                     "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                                     "PRAGMA wal_autocheckpoint = 8000;"
                                     "CREATE TABLE plain (at, source_ip, number, method, agent, message)",
                                     NULL, NULL, NULL));
  check(table.database, sqlite3_prepare_v2(table.database, "BEGIN", -1, &table.begin, NULL));
  check(table.database, sqlite3_prepare_v2(table.database, "COMMIT", -1, &table.commit, NULL));
  check(table.database,
        sqlite3_prepare_v2(table.database, "INSERT INTO plain VALUES (?,?,?,?,?,?)", -1, &table.insert, NULL));
  return table;
}

static void run_statement(struct table *table, sqlite3_stmt *statement) {
  check(table->database, sqlite3_step(statement));
  sqlite3_reset(statement);
}

static void bind_text(sqlite3_stmt *insert, int place, struct text text) {
  sqlite3_bind_text(insert, place, text.at, text.length, SQLITE_STATIC);
}

static void append(struct table *table, const struct packet *packet, const struct fields *fields) {
  char address[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &packet->from.sin_addr, address, sizeof address);
  sqlite3_bind_int64(table->insert, 1, (sqlite3_int64)now_ns());
  bind_text(table->insert, 2, (struct text){address, (int)strlen(address)});
  bind_text(table->insert, 3, fields->user);
  bind_text(table->insert, 4, fields->method);
  bind_text(table->insert, 5, fields->agent);
  bind_text(table->insert, 6, (struct text){packet->bytes, (int)packet->length});
  run_statement(table, table->insert);
}

static void *store_packets(void *file) {
  static struct fields fields[ROWS_A_COMMIT];
  static struct packet *packets[ROWS_A_COMMIT];
  struct ring *ring = &floor_state.ring;
  struct table table = open_table(file);
  for (;;) {
    uint64_t taken = ring->taken, waiting = ring->filled - taken;
    if (waiting == 0) {
      ring->waits = true;
      if (ring->filled == taken) sem_wait(&ring->wakes);
      ring->waits = false;
      continue;
    }
    int count = waiting > ROWS_A_COMMIT ? ROWS_A_COMMIT : (int)waiting;
    run_statement(&table, table.begin);
    for (int at = 0; at < count; at++) {
      packets[at] = &ring->packets[(taken + (uint64_t)at) % SLOTS];
      fields[at] = read_fields(packets[at]);
      append(&table, packets[at], &fields[at]);
    }
    run_statement(&table, table.commit);
    floor_state.stored += count;
    for (int at = 0; floor_state.replies && at < count; at += BATCH)
      reply_to(&packets[at], &fields[at], count - at < BATCH ? count - at : BATCH);
    ring->taken = taken + (uint64_t)count;
  }
  return NULL;
}
#else
static void *store_packets(void *file) {
  (void)file;
  fprintf(stderr, "load: built without SQLite\n");
  exit(3);
}
#endif

static void start_thread(void *(*work)(void *), void *argument) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, work, argument);
  if (errno != 0) fail("pthread_create");
}

static int bind_to_loopback(int type) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int socket_fd = socket(AF_INET, type, 0);
  if (socket_fd < 0) fail("socket");
  int bytes = BUFFER_BYTES;
  if (type == SOCK_DGRAM) {
    setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  }
  if (bind(socket_fd, (struct sockaddr *)&address, length) != 0) fail("bind");
  if (type == SOCK_STREAM && listen(socket_fd, BACKLOG) != 0) fail("listen");
  if (getsockname(socket_fd, (struct sockaddr *)&address, &length) != 0) fail("getsockname");
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  return socket_fd;
}

static void answer_questions(void) {
  char line[16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    printf("{\"received\":%lld,\"stored\":%lld,\"replied\":%lld}\n", floor_state.received, floor_state.stored,
           floor_state.replied);
    fflush(stdout);
  }
}

void run_udp_floor(const struct options *options) {
  bool stores = strcmp(options->command, "store") == 0;
  floor_state.replies = options->replies;
  floor_state.ring.packets = calloc(SLOTS, sizeof(struct packet));
  if (floor_state.ring.packets == NULL) fail("calloc");
  sem_init(&floor_state.ring.wakes, 0, 0);
  floor_state.socket_fd = bind_to_loopback(SOCK_DGRAM);
  if (stores) start_thread(store_packets, (void *)options->file);
  start_thread(stores ? receive_for_store : count_datagrams, NULL);
  answer_questions();
}

/* ---- streams ---- */

static const char STREAM_REPLY[] = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.1.1:5061;branch=z9hG4bK-0\r\n"
                                   "From: <sip:100@1.1.1.1>;tag=1\r\nTo: <sip:100@1.1.1.1>;tag=floor\r\n"
                                   "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

static void serve_stream(int socket_fd, int *state) {
  static char bytes[STREAM_BYTES];
  ssize_t got = read(socket_fd, bytes, sizeof bytes);
  if (got <= 0) {
    close(socket_fd);
    return;
  }
  long messages = count_ends(state, bytes, (size_t)got);
  floor_state.received += messages;
  for (long reply = 0; floor_state.replies && reply < messages; reply++)
    if (write(socket_fd, STREAM_REPLY, sizeof STREAM_REPLY - 1) > 0) floor_state.replied++;
}

static void *serve_streams(void *unused) {
  static int states[1 << 20]; /* by file descriptor */
  int server_fd = floor_state.socket_fd, poll_fd = epoll_create1(0);
  struct epoll_event events[BATCH], listening = {.events = EPOLLIN, .data.fd = server_fd};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, server_fd, &listening);
  for (;;) {
    int ready = epoll_wait(poll_fd, events, BATCH, -1);
    for (int at = 0; at < ready; at++) {
      if (events[at].data.fd != server_fd) {
        serve_stream(events[at].data.fd, &states[events[at].data.fd]);
        continue;
      }
      int socket_fd = accept4(server_fd, NULL, NULL, 0);
      if (socket_fd < 0) continue;
      struct epoll_event reading = {.events = EPOLLIN, .data.fd = socket_fd};
      states[socket_fd] = 0;
      epoll_ctl(poll_fd, EPOLL_CTL_ADD, socket_fd, &reading);
    }
  }
  return unused;
}

void run_tcp_floor(const struct options *options) {
  floor_state.replies = options->replies;
  floor_state.socket_fd = bind_to_loopback(SOCK_STREAM);
  start_thread(serve_streams, NULL);
  answer_questions();
}
