#pragma once
#if !__has_include(<openssl/hmac.h>)
#error "openssl/hmac.h is missing: apt-get install libssl-dev (make demo and make test do it for you)"
#endif
#if !__has_include(<crypt.h>)
#error "crypt.h is missing: apt-get install libcrypt-dev (libc6-dev brings it)"
#endif
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
