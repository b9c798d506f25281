// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * Load and floors for the benchmarks, so that JavaScript is not measured by JavaScript. One program, Linux only:
 *
 *   load send  --to 127.0.0.1:PORT --rate N --count N --seconds N --sources N [--replies]    SIP over UDP
 *   load sink  [--replies]                 floor: receives datagrams and counts them
 *   load store --file FILE [--replies]     floor: receives, reads, appends to a plain SQLite table
 *   load tcp   --to 127.0.0.1:PORT --connections N --per-connection N --window N --count N   SIP over TCP
 *   load tcp-sink [--replies]              floor: reads streams and counts messages
 *   load http  --to 127.0.0.1:PORT --connections N --path /numbers/%d --numbers N --seconds N
 *
 * The result is one line of JSON. It talks to 127.0.0.0/8 alone, ends by itself, and with whoever started it.
 */

#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { SPARE_SECONDS = 30 }; /* after this much more than it was given the program is ended */
static const long long FIRST_NUMBER = 46500000000;

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

_Noreturn void fail(const char *what) {
  perror(what);
  exit(1);
}

static _Noreturn void refuse(const char *what, const char *value) {
  fprintf(stderr, "load: %s: %s\n", what, value);
  exit(2);
}

static unsigned bucket_of(uint64_t ns) {
  if (ns < 64) return (unsigned)ns;
  unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 6;
  return (shift + 1) * 64 + (unsigned)((ns >> shift) & 63);
}

void record(struct histogram *histogram, uint64_t ns) {
  histogram->buckets[bucket_of(ns)]++;
  histogram->count++;
  if (ns > histogram->max) histogram->max = ns;
}

double quantile_ms(const struct histogram *histogram, double share) {
  uint64_t wanted = (uint64_t)(share * (double)histogram->count), seen = 0;
  for (unsigned bucket = 0; bucket < 64 * 64; bucket++) {
    seen += histogram->buckets[bucket];
    if (seen <= wanted) continue;
    if (bucket < 64) return bucket / 1e6;
    unsigned shift = bucket / 64 - 1;
    return (double)(((uint64_t)(64 + bucket % 64)) << shift) / 1e6;
  }
  return (double)histogram->max / 1e6;
}

struct sockaddr_in source_address(int index) {
  uint32_t address = (127u << 24) | (uint32_t)(1 + (index >> 14)) << 16 | (uint32_t)((index >> 7) & 127) << 8 |
                     (uint32_t)(1 + (index & 127));
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
}

enum { NUMBER_DIGITS = 13, SEQUENCE_DIGITS = 10 };
#define NUMBER "NNNNNNNNNNNNN"
#define SEQUENCE "SSSSSSSSSS"

static const char TEMPLATE[] =
    "OPTIONS sip:" NUMBER "@127.0.0.1 SIP/2.0\r\n"
    "Via: SIP/2.0/%s 127.0.1.1:5061;branch=z9hG4bK-" SEQUENCE ";rport\r\n"
    "Content-Length: 0\r\n"
    "From: \"sipvicious\"<sip:100@1.1.1.1>;tag=37663030303030313133633401" SEQUENCE "\r\n"
    "Accept: application/sdp\r\n"
    "User-Agent: friendly-scanner\r\n"
    "To: \"sipvicious\"<sip:" NUMBER "@1.1.1.1>\r\n"
    "Contact: sip:100@127.0.1.1:5061\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Call-ID: 937216578490216473" SEQUENCE "\r\n"
    "Max-Forwards: 70\r\n\r\n";

/* Where the template has its fields; both transports have names of three letters, so they are the same for both. */
static size_t number_at[2], sequence_at[3];

static void find_fields(const char *text, const char *field, size_t *places, int count) {
  const char *from = text;
  for (int place = 0; place < count; place++) {
    from = strstr(from, field);
    if (from == NULL) refuse("the template lacks a field", field);
    places[place] = (size_t)(from - text);
    from += strlen(field);
  }
}

void write_message(struct message *message, const char *transport) {
  message->length = (size_t)snprintf(message->bytes, MESSAGE_ROOM, TEMPLATE, transport);
  find_fields(message->bytes, NUMBER, number_at, 2);
  find_fields(message->bytes, SEQUENCE, sequence_at, 3);
}

static void put_digits(char *at, int digits, long long value) {
  for (int digit = digits - 1; digit >= 0; digit--, value /= 10) at[digit] = (char)('0' + value % 10);
}

long long called_number(long long sequence, int numbers) {
  return FIRST_NUMBER + sequence % numbers;
}

void number_message(struct message *message, long long sequence, int numbers) {
  for (int place = 0; place < 2; place++)
    put_digits(message->bytes + number_at[place], NUMBER_DIGITS, called_number(sequence, numbers));
  for (int place = 0; place < 3; place++)
    put_digits(message->bytes + sequence_at[place], SEQUENCE_DIGITS, sequence);
}

long long sequence_of(const char *bytes, size_t length) {
  static const char before[] = "branch=z9hG4bK-";
  const char *found = memmem(bytes, length, before, sizeof before - 1);
  if (found == NULL || found + sizeof before - 1 + SEQUENCE_DIGITS > bytes + length) return -1;
  long long sequence = 0;
  for (int digit = 0; digit < SEQUENCE_DIGITS; digit++) {
    char character = found[sizeof before - 1 + (size_t)digit];
    if (character < '0' || character > '9') return -1;
    sequence = sequence * 10 + (character - '0');
  }
  return sequence;
}

long count_ends(int *state, const char *bytes, size_t length) {
  static const char end[] = "\r\n\r\n";
  long ends = 0;
  for (size_t at = 0; at < length; at++) {
    if (bytes[at] == end[*state]) (*state)++;
    else *state = bytes[at] == '\r' ? 1 : 0;
    if (*state < 4) continue;
    ends++;
    *state = 0;
  }
  return ends;
}

static struct sockaddr_in loopback_endpoint(const char *text) {
  char host[16] = "";
  int port = 0;
  struct sockaddr_in endpoint = {.sin_family = AF_INET};
  if (sscanf(text, "%15[0-9.]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &endpoint.sin_addr) != 1 || port < 1 ||
      port > 65535)
    refuse("not an IPv4 address and port", text);
  if (ntohl(endpoint.sin_addr.s_addr) >> 24 != 127) refuse("not a loopback address", text);
  endpoint.sin_port = htons((uint16_t)port);
  return endpoint;
}

static double within(const char *name, const char *text, double least, double most) {
  char *end;
  double value = strtod(text, &end);
  if (*end != '\0' || !(value >= least && value <= most)) refuse(name, text);
  return value;
}

static struct options read_options(int argc, char **argv) {
  struct options options = {
      .command = argc > 1 ? argv[1] : "",
      .seconds = 10,
      .sources = 1,
      .numbers = 100000,
      .connections = 1,
      .wait_ms = 1000,
      .path = "/",
      .file = NULL,
  };
  for (int at = 2; at < argc; at++) {
    const char *name = argv[at];
    if (strcmp(name, "--replies") == 0) {
      options.replies = true;
      continue;
    }
    if (at + 1 == argc) refuse("no value for", name);
    const char *value = argv[++at];
    if (strcmp(name, "--to") == 0) options.to = loopback_endpoint(value);
    else if (strcmp(name, "--rate") == 0) options.rate = within(name, value, 0, 1e7);
    else if (strcmp(name, "--seconds") == 0) options.seconds = within(name, value, 0.01, MAX_SECONDS);
    else if (strcmp(name, "--count") == 0) options.count = (long long)within(name, value, 0, MAX_COUNT);
    else if (strcmp(name, "--first") == 0) options.first = (long long)within(name, value, 0, 9e9);
    else if (strcmp(name, "--sources") == 0) options.sources = (int)within(name, value, 1, MAX_SOURCES);
    else if (strcmp(name, "--numbers") == 0) options.numbers = (int)within(name, value, 1, 1e9);
    else if (strcmp(name, "--connections") == 0) options.connections = (int)within(name, value, 1, MAX_CONNECTIONS);
    else if (strcmp(name, "--window") == 0) options.window = (int)within(name, value, 0, 1000);
    else if (strcmp(name, "--per-connection") == 0) options.per_connection = (int)within(name, value, 0, 1e6);
    else if (strcmp(name, "--wait-ms") == 0) options.wait_ms = (int)within(name, value, 0, 60000);
    else if (strcmp(name, "--path") == 0) options.path = value;
    else if (strcmp(name, "--file") == 0) options.file = value;
    else refuse("unknown option", name);
  }
  return options;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    bool sends;
    void (*run)(const struct options *);
  } commands[] = {
      {"send", true, send_datagrams},     {"sink", false, run_udp_floor}, {"store", false, run_udp_floor},
      {"tcp-sink", false, run_tcp_floor}, {"tcp", true, load_tcp},        {"http", true, load_http},
  };
  struct options options = read_options(argc, argv);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1UL);
  signal(SIGPIPE, SIG_IGN);
  for (size_t at = 0; at < sizeof commands / sizeof *commands; at++) {
    if (strcmp(options.command, commands[at].name) != 0) continue;
    if (commands[at].sends && options.to.sin_port == 0) refuse("needs --to", options.command);
    /* A floor ends when its standard input does, and with its parent: a search on it takes minutes. */
    if (commands[at].sends) alarm((unsigned)options.seconds + (unsigned)options.wait_ms / 1000 + SPARE_SECONDS);
    commands[at].run(&options);
    return 0;
  }
  refuse("unknown command", options.command);
}
