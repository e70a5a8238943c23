/* Counts what each thread allocates and retains. Preload it into a program; ALLOCATIONS_FILE names a file of
   SLOTS slots of three 64-bit numbers, which it fills: thread id, allocations, retains of Swift objects.

   A program with the Swift runtime linked into it does not call the retains from outside: its third number
   stays 0. Retains that the runtime does for itself are not seen either. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOTS 256

struct slot { uint64_t thread, allocations, retains; };

static struct slot *slots;
static int used;
static __thread struct slot *mine __attribute__((tls_model("initial-exec")));

static struct slot *slot(void) {
    if (mine) return mine;
    if (!slots) return 0;
    int index = __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED);
    mine = &slots[index < SLOTS ? index : SLOTS - 1];
    mine->thread = syscall(SYS_gettid);
    return mine;
}

static void count(void) {
    struct slot *s = slot();
    if (s) s->allocations++;
}

void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

void *malloc(size_t size) { count(); return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { count(); return __libc_calloc(number, size); }
void *realloc(void *old, size_t size) { count(); return __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
int posix_memalign(void **result, size_t alignment, size_t size) {
    count();
    return (*result = __libc_memalign(alignment, size)) ? 0 : ENOMEM;
}

static void retained(void) {
    struct slot *s = slot();
    if (s) s->retains++;
}

#define REAL(name) \
    static void *(*real)(void *, uint32_t); \
    if (!real) real = (void *(*)(void *, uint32_t))dlsym(RTLD_NEXT, name); \
    retained()

void *swift_retain(void *object) { REAL("swift_retain"); return real(object, 0); }
void *swift_retain_n(void *object, uint32_t times) { REAL("swift_retain_n"); return real(object, times); }
void *swift_bridgeObjectRetain(void *object) { REAL("swift_bridgeObjectRetain"); return real(object, 0); }

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("ALLOCATIONS_FILE");
    if (!path) return;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ftruncate(file, SLOTS * sizeof(struct slot))) abort();
    void *memory = mmap(0, SLOTS * sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) abort();
    slots = memory;
    close(file);
}
