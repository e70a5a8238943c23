/* Makes the order that a contended Synchronization.Mutex gives visible to ThreadSanitizer.
 *
 * On Linux the state of the mutex is one word, at its address. The compiler puts the uncontended half
 * of lock and unlock, a compare-and-exchange of that word, into the caller, where the sanitizer sees it.
 * What happens when two threads meet is in libswiftSynchronization.so, which is built without the
 * sanitizer: the lock is taken or passed on there, nothing says so, and every access under it is
 * reported as a race. `make tsan` links this file into the programs, so that they call the functions
 * below, which call the library's and tell the sanitizer what these have done.
 *
 * Nothing is hidden: an access outside of the lock is reported as before, and if the library renames
 * its functions, the false reports are back.
 * https://github.com/swiftlang/swift/blob/main/stdlib/public/Synchronization/Mutex/LinuxImpl.swift */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>
#include <stdbool.h>
#include <stdint.h>

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

static SWIFT void (*library_lock)(uint32_t thread, SELF mutex);
static SWIFT bool (*library_try_lock)(SELF mutex);
static SWIFT void (*library_unlock)(SELF mutex);

__attribute__((constructor)) static void find_library(void) {
    library_lock = dlsym(RTLD_NEXT, LOCK_SLOW);
    library_try_lock = dlsym(RTLD_NEXT, TRY_LOCK_SLOW);
    library_unlock = dlsym(RTLD_NEXT, UNLOCK_SLOW);
}

SWIFT void lock_slow(uint32_t thread, SELF mutex) __asm__(LOCK_SLOW);
SWIFT bool try_lock_slow(SELF mutex) __asm__(TRY_LOCK_SLOW);
SWIFT void unlock_slow(SELF mutex) __asm__(UNLOCK_SLOW);

/* By address: what these say joins what the sanitizer has seen of the exchanges in the callers. */
SWIFT void lock_slow(uint32_t thread, SELF mutex) {
    library_lock(thread, mutex);
    __tsan_acquire(mutex);
}

SWIFT bool try_lock_slow(SELF mutex) {
    bool is_locked = library_try_lock(mutex);
    if (is_locked) __tsan_acquire(mutex);
    return is_locked;
}

SWIFT void unlock_slow(SELF mutex) {
    __tsan_release(mutex);
    library_unlock(mutex);
}
