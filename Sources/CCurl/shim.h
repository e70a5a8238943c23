#pragma once
#if !__has_include(<curl/curl.h>)
#error "curl/curl.h is missing: apt-get install libcurl4-openssl-dev (make demo and make test do it for you)"
#endif
// Its type-checking macros make functions of the same names; the shims below need the plain ones.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

// curl_easy_setopt and curl_easy_getinfo are variadic: one function for each type of value.
static inline CURLcode costgauge_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode costgauge_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode costgauge_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode costgauge_curl_set_sink(
    CURL *easy, CURLoption option, size_t (*sink)(char *, size_t, size_t, void *)) {
    return curl_easy_setopt(easy, option, sink);
}
static inline CURLcode costgauge_curl_status(CURL *easy, long *status) {
    return curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
}
static inline CURLcode costgauge_curl_private(CURL *easy, void **pointer) {
    return curl_easy_getinfo(easy, CURLINFO_PRIVATE, pointer);
}
// Renamed in libcurl 8.2, where the old name is a macro.
static inline CURLcode costgauge_curl_let_recipients_fail(CURL *easy) {
    return curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
}
// Members of an enum that Swift sees as another type than the long which the option takes.
static inline long costgauge_curl_tls_always(void) { return CURLUSESSL_ALL; }
static inline long costgauge_curl_tls_if_offered(void) { return CURLUSESSL_TRY; }
// A union member and a macro-built enum that Swift does not reach.
static inline CURLcode costgauge_curl_result(const CURLMsg *message) { return message->data.result; }
static inline int costgauge_curl_is_done(const CURLMsg *message) { return message->msg == CURLMSG_DONE; }
