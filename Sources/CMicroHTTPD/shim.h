#pragma once
#if !__has_include(<microhttpd.h>)
#error "microhttpd.h is missing: apt-get install libmicrohttpd-dev (make demo and make test do it for you)"
#endif
#if !__has_include(<gnutls/abstract.h>)
#error "gnutls/abstract.h is missing: apt-get install libgnutls28-dev (libmicrohttpd-dev brings it)"
#endif
#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

// MHD_start_daemon is variadic, so Swift cannot call it; the options travel as an array instead.
static inline struct MHD_Daemon *costgauge_mhd_start(
    unsigned int flags, MHD_AccessHandlerCallback handler, void *handler_context,
    struct MHD_OptionItem *options) {
    return MHD_start_daemon(flags, 0, NULL, NULL, handler, handler_context,
                            MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

// The log callback receives a va_list, which Swift does not import.
static inline int costgauge_mhd_format(
    char *buffer, size_t capacity, const char *format, va_list arguments) {
    return vsnprintf(buffer, capacity, format, arguments);
}

// MHD_get_daemon_info is variadic. Answers 0 when the port is not known.
static inline unsigned short costgauge_mhd_port(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

// MHD_get_connection_info is variadic. Writes the peer's numeric address, or nothing.
static inline void costgauge_mhd_client(
    struct MHD_Connection *connection, char *buffer, size_t capacity) {
    buffer[0] = 0;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr) return;
    const struct sockaddr *address = info->client_addr;
    socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                    : sizeof(struct sockaddr_in);
    if (getnameinfo(address, size, buffer, (socklen_t)capacity, NULL, 0, NI_NUMERICHOST) != 0)
        buffer[0] = 0;
}

// The file that libmicrohttpd waits for; -1 when it has none.
static inline int costgauge_mhd_epoll(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

// Milliseconds until libmicrohttpd has something to do by itself: 0 at once, -1 never.
static inline int costgauge_mhd_timeout(struct MHD_Daemon *daemon) {
    MHD_UNSIGNED_LONG_LONG milliseconds;
    if (MHD_get_timeout(daemon, &milliseconds) != MHD_YES) return -1;
    return milliseconds > 60000 ? 60000 : (int)milliseconds;
}
