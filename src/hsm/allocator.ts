/**
 * How glibc's allocator is told to overwrite whatever is freed, at once (mallopt(3), M_PERTURB). OpenSSL erases
 * what it frees of a key; Node and V8 do not: a cipher's output that is moved to a shorter buffer, or a copy
 * of a dead stack frame, would outlive the key in freed memory. The cache of each thread goes round the
 * overwriting, so there is none. Only the environment can say so, before the program begins: nothing else
 * stands in it. It costs 2 to 8 % of a signature or an encryption (docs/decisions).
 */

export const allocatorSetting =
  'GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0'
