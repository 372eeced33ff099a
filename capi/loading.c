/* loading.c - what is to be done once when the library is loaded: on Linux, to give
 * back memory that only loading needs; on Windows, to stay.
 *
 * The loader reads the table of relocations once, some 340 KB that stay in the memory
 * of every process otherwise. What is still asked for in that segment, symbols for
 * example, comes back from the file page by page. */
#ifdef __linux__
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* The linker puts it at the beginning of the library. What follows the header is read
 * through it, too, so it has no size. */
extern const char __ehdr_start[] __attribute__((visibility("hidden"), weak));

__attribute__((constructor)) static void giveRelocationsBack(void)
{
	const char *base = __ehdr_start;
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)base;
	const ElfW(Phdr) *first = NULL;
	const ElfW(Phdr) *headers;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	int i;

	if (base == NULL)
		return;
	headers = (const ElfW(Phdr) *)(const void *)(base + header->e_phoff);
	for (i = 0; i < header->e_phnum; i++) {
		if (headers[i].p_type == PT_INTERP) /* a program that links the archive: it is not ours */
			return;
		if (headers[i].p_type == PT_LOAD && headers[i].p_offset == 0)
			first = &headers[i];
	}
	if (first == NULL || first->p_flags != PF_R) /* code or data are in it, too */
		return;
	/* Its last page may be shared with the next segment's. */
	madvise((void *)(uintptr_t)base, first->p_memsz & ~(page - 1), MADV_DONTNEED);
}
#endif

#ifdef _WIN32
#include <windows.h>

/* The threads of the runtime go on when the host frees the library. Elsewhere, the
 * linker says that it stays; here, it has to ask for that. */
__attribute__((constructor)) static void stayLoaded(void)
{
	HMODULE self;

	GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
			   (LPCSTR)(void *)stayLoaded, &self);
}
#endif
