#pragma once
#if !__has_include(<openssl/hmac.h>)
#error "openssl/hmac.h is missing: apt-get install libssl-dev (make demo and make test do it for you)"
#endif
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
