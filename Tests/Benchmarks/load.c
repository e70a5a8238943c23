// Sends the lines of a file as POST /v1/events over kept-alive connections, each waiting for its
// answer before it sends the next body.
//
//   load PORT FILE CONNECTIONS LINES_PER_BODY [SECONDS]
//
// Without SECONDS the file is sent once; with it, again and again for so long. Prints what was
// acknowledged, what was not, and the time from the first byte to the last answer.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  int socket;
  char head[256];
  size_t head_length;
  const char *body;
  size_t body_length, sent;
  int lines;
  char answer[4096];
  size_t answered;
} Connection;

static const char *text, *text_end, *cursor;
static int lines_per_body;
static double deadline;
static long acknowledged, refused, requests;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int next_body(Connection *c) {
  if (deadline > 0 && now() > deadline) return 0;
  if (cursor == text_end) {
    if (deadline == 0) return 0;
    cursor = text;
  }
  c->body = cursor;
  c->lines = 0;
  while (cursor < text_end && c->lines < lines_per_body) {
    const char *end = memchr(cursor, '\n', text_end - cursor);
    cursor = end ? end + 1 : text_end;
    c->lines++;
  }
  c->body_length = cursor - c->body;
  c->sent = c->answered = 0;
  c->head_length = snprintf(
      c->head, sizeof c->head,
      "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
      "Content-Length: %zu\r\n\r\n",
      c->body_length);
  return 1;
}

// 0: would block, 1: all sent.
static int push(Connection *c) {
  while (c->sent < c->head_length + c->body_length) {
    struct iovec parts[2] = {{c->head, c->head_length}, {(char *)c->body, c->body_length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (c->sent < c->head_length) {
      parts[0].iov_base = c->head + c->sent;
      parts[0].iov_len -= c->sent;
    } else {
      size_t body_sent = c->sent - c->head_length;
      parts[1].iov_base = (char *)c->body + body_sent;
      parts[1].iov_len -= body_sent;
      message.msg_iov = parts + 1;
      message.msg_iovlen = 1;
    }
    ssize_t n = sendmsg(c->socket, &message, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN ? 0 : (perror("send"), exit(1), 0);
    c->sent += n;
  }
  return 1;
}

// 1: a whole answer is there.
static int pull(Connection *c) {
  for (;;) {
    ssize_t n = recv(c->socket, c->answer + c->answered, sizeof c->answer - 1 - c->answered, 0);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) { fprintf(stderr, "load: the server hung up\n"); exit(1); }
    c->answered += n;
    c->answer[c->answered] = 0;
    char *head_end = strstr(c->answer, "\r\n\r\n");
    char *length = strcasestr(c->answer, "content-length:");
    if (head_end && length && c->answered >= head_end + 4 - c->answer + strtoul(length + 15, 0, 10))
      return 1;
  }
}

int main(int argc, char **argv) {
  if (argc < 5) { fprintf(stderr, "usage: load PORT FILE CONNECTIONS LINES_PER_BODY [SECONDS]\n"); return 2; }
  int file = open(argv[2], O_RDONLY), count = atoi(argv[3]);
  struct stat status;
  if (file < 0 || fstat(file, &status)) { perror(argv[2]); return 1; }
  text = cursor = mmap(0, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  text_end = text + status.st_size;
  lines_per_body = atoi(argv[4]);
  Connection *connections = calloc(count, sizeof(Connection));
  int poll = epoll_create1(0), open_count = 0;
  double start = now();
  if (argc > 5) deadline = start + atof(argv[5]);
  for (int i = 0; i < count; i++) {
    Connection *c = &connections[i];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->socket, (void *)&address, sizeof address)) { perror("connect"); return 1; }
    setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->socket, F_SETFL, O_NONBLOCK);
    if (!next_body(c)) break;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    epoll_ctl(poll, EPOLL_CTL_ADD, c->socket, &event);
    open_count++;
  }
  while (open_count > 0) {
    struct epoll_event events[64];
    int ready = epoll_wait(poll, events, 64, 10000);
    if (ready <= 0) { fprintf(stderr, "load: no answer for 10 s\n"); return 1; }
    for (int i = 0; i < ready; i++) {
      Connection *c = events[i].data.ptr;
      while (push(c) && (events[i].events & EPOLLIN) && pull(c)) {
        requests++;
        if (strncmp(c->answer + 9, "200", 3) == 0) {
          const char *accepted = strstr(c->answer, "\"accepted\":");
          acknowledged += accepted ? atol(accepted + 11) : c->lines;
        } else if (refused++ == 0) {
          fprintf(stderr, "load: %.200s\n", c->answer);
        }
        if (next_body(c)) {
          // Its answer is an event of its own.
          events[i].events = 0;
          continue;
        }
        close(c->socket);
        open_count--;
        break;
      }
    }
  }
  double seconds = now() - start;
  printf("requests %ld refused %ld events %ld seconds %.3f events_per_second %.0f requests_per_second %.0f\n",
         requests, refused, acknowledged, seconds, acknowledged / seconds, requests / seconds);
  return 0;
}
