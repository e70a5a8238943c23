// libmicrohttpd answering 200 to whatever comes and doing nothing else: the ceiling of anything
// built on it. Runs until it is killed.
//
//   nothing PORT
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum MHD_Result answer(
    void *context, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *body, size_t *body_length, void **request) {
  (void)context, (void)url, (void)method, (void)version, (void)body;
  if (!*request) {
    *request = request;
    return MHD_YES;
  }
  if (*body_length) {
    *body_length = 0;
    return MHD_YES;
  }
  struct MHD_Response *response =
      MHD_create_response_from_buffer(2, "ok", MHD_RESPMEM_PERSISTENT);
  enum MHD_Result result = MHD_queue_response(connection, 200, response);
  MHD_destroy_response(response);
  return result;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: nothing PORT\n");
    return 2;
  }
  if (!MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, atoi(argv[1]), 0, 0, answer, 0, MHD_OPTION_END))
    return 1;
  pause();
}
