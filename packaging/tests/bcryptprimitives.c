/*
 * bcryptprimitives.c - a part of Windows that Wine lacks before its version 9.
 *
 * The Go runtime takes its random numbers from ProcessPrng, which every Windows has since
 * version 8. The check of the Windows build puts this in its own Wine prefix where Wine has
 * none; it is no part of libsds and is not shipped. The numbers are Wine's, which takes
 * them from the system.
 */
#include <windows.h>

#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size)
{
    while (size > 0) {
        ULONG part = size > 1 << 20 ? 1 << 20 : (ULONG)size;

        if (!RtlGenRandom(data, part))
            return FALSE;
        data += part;
        size -= part;
    }
    return TRUE;
}
