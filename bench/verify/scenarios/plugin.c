/* A library that scenarios open while they run: thread-local memory, an indirect function, blocks of its own malloc. */
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

static __thread char local_bytes[3000] __attribute__((tls_model("global-dynamic")));
static __thread int local_set = 1;

char* plugin_local(void) {
  local_set += 1;
  return local_bytes;
}
/* The malloc that this library's own names are bound to. */
void* plugin_malloc(size_t size) { return malloc(size); }
void plugin_free(void* block) { free(block); }
char* plugin_strdup(const char* text) { return strdup(text); }

static int plain_answer(void) { return 42; }
static int (*resolve_answer(void))(void) { return plain_answer; }
int plugin_answer(void) __attribute__((ifunc("resolve_answer")));

static char* kept;
__attribute__((constructor)) static void start(void) {
  kept = (char*)malloc(5000);
  memset(kept, 1, 5000);
}
__attribute__((destructor)) static void end(void) { free(kept); }

#ifdef __cplusplus
}
#endif
