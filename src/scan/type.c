/* What a file is by its first octets. A table of signatures, and the few kinds that need more than one look. */
#include "scan/internal.h"

enum kind_of_row { PLAIN, PROGRAM, SCRIPT, OFFICE, ARCHIVE, MEDIA };
static const struct {
    const char *word, *text;
    enum kind_of_row kind;
} types[SCAN_TYPES] = {
#define TYPE(name, word, kind, text) {word, text, kind},
#include "scan/types.def"
#undef TYPE
};

const char *scan_type_word(enum scan_type t) { return types[t].word; }
const char *scan_type_text(enum scan_type t) { return types[t].text; }
enum scan_kind scan_type_kind(enum scan_type t) { return (enum scan_kind)types[t].kind; }

static const struct {
    uint16_t at;
    str octets;
    enum scan_type type;
} signatures[] = {
    {0,
     S_INIT("\x7f"
            "ELF"),
     SCAN_ELF},
    {0, S_INIT("\xfe\xed\xfa\xce"), SCAN_MACHO},
    {0, S_INIT("\xfe\xed\xfa\xcf"), SCAN_MACHO},
    {0, S_INIT("\xce\xfa\xed\xfe"), SCAN_MACHO},
    {0, S_INIT("\xcf\xfa\xed\xfe"), SCAN_MACHO},
    {0, S_INIT("dex\n03"), SCAN_DEX},
    {0, S_INIT("\0asm\1\0\0\0"), SCAN_WASM},
    {0, S_INIT("\x4c\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"), SCAN_LNK},
    {0, S_INIT("ITSF\3\0\0\0"), SCAN_CHM},
    {0, S_INIT("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), SCAN_OLE},
    {0, S_INIT("{\\rt"), SCAN_RTF}, /* Word needs no more of "{\rtf1" */
    {0, S_INIT("\x78\x9f\x3e\x22"), SCAN_TNEF},
    {0, S_INIT("PK\3\4"), SCAN_ZIP},
    {0, S_INIT("PK\5\6"), SCAN_ZIP},
    {0, S_INIT("PK00PK\3\4"), SCAN_ZIP},
    {0, S_INIT("\x1f\x8b\x08"), SCAN_GZIP},
    {257, S_INIT("ustar"), SCAN_TAR},
    {0, S_INIT("7z\xbc\xaf\x27\x1c"), SCAN_SEVENZIP},
    {0, S_INIT("Rar!\x1a\x07\x01\0"), SCAN_RAR5},
    {0, S_INIT("Rar!\x1a\x07\0"), SCAN_RAR},
    {0, S_INIT("MSCF\0\0\0\0"), SCAN_CAB},
    {0, S_INIT("BZh"), SCAN_BZIP2},
    {0,
     S_INIT("\xfd"
            "7zXZ\0"),
     SCAN_XZ},
    {0, S_INIT("\x28\xb5\x2f\xfd"), SCAN_ZSTD},
    {0, S_INIT("\x60\xea"), SCAN_ARJ},
    {7, S_INIT("**ACE**"), SCAN_ACE},
    {2, S_INIT("-lh"), SCAN_LHA},
    {0, S_INIT("vhdxfile"), SCAN_VHD},
    {0, S_INIT("conectix"), SCAN_VHD},
    {0, S_INIT("\x89PNG\r\n\x1a\n"), SCAN_PNG},
    {0, S_INIT("\xff\xd8\xff"), SCAN_JPEG},
    {0, S_INIT("GIF8"), SCAN_GIF},
    {8, S_INIT("WEBP"), SCAN_WEBP},
    {0, S_INIT("II*\0"), SCAN_TIFF},
    {0, S_INIT("MM\0*"), SCAN_TIFF},
    {4, S_INIT("ftyp"), SCAN_ISOMEDIA},
    {0, S_INIT("OggS"), SCAN_OGG},
    {0, S_INIT("ID3"), SCAN_MP3},
    {0, S_INIT("RIFF"), SCAN_RIFF},
    {0, S_INIT("#!/"), SCAN_SCRIPT},
    {0, S_INIT("#! /"), SCAN_SCRIPT},
};

static bool has(str head, size_t at, str octets)
{
    return head.n >= at + octets.n && memcmp(head.p + at, octets.p, octets.n) == 0;
}

static uint32_t u32(str s, size_t at) { return s.n >= at + 4 ? scan_u32(s.p + at) : 0; }

/* "MZ": the header at [60] says whether more than DOS was meant. Text that begins so has no such header, or letters
 * there. */
static enum scan_type of_mz(str head)
{
    uint32_t at = u32(head, 60);
    if (at && at < head.n && head.n - at >= 2 && head.p[at] == 'P' && head.p[at + 1] == 'E')
        return SCAN_PE;
    for (size_t i = 2; i < head.n && i < 64; i++)
        if ((unsigned char)head.p[i] < 32 && !memchr("\t\r\n\f\x1b", head.p[i], 5))
            return at >= 64 && at < 0x10000000 ? SCAN_PE : SCAN_DOS;
    return SCAN_TEXT;
}

/* The same four octets begin programs for several processors and those in Java: the number behind them tells. */
static enum scan_type of_cafebabe(str head)
{
    uint32_t n = head.n >= 8 ? (uint32_t)(unsigned char)head.p[6] << 8 | (unsigned char)head.p[7] : 0;
    return n < 30 ? SCAN_MACHO : SCAN_CLASS;
}

/* Text: what looks like text. HTML may begin with anything: a tag that says so within the head is enough. */
static enum scan_type of_text(str head)
{
    static const str html[] = {S_INIT("<html"),  S_INIT("<!doctype html"), S_INIT("<script"), S_INIT("<body"),
                               S_INIT("<head>"), S_INIT("<iframe"),        S_INIT("<meta "),  S_INIT("<svg")};
    str s = head;
    if (str_starts(s, S("\xef\xbb\xbf")))
        s = str_skip(s, 3);
    s = str_trim(s);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 && !memchr("\t\r\n\f\x1b\b", s.p[i], 6))
            return SCAN_DATA;
    for (size_t i = 0; i < sizeof html / sizeof *html; i++)
        for (size_t at = 0; at < s.n && s.p[0] == '<' && at < 256; at++)
            if (s.p[at] == '<' && str_istarts(str_skip(s, at), html[i]))
                return SCAN_HTML;
    return str_istarts(s, S("<?xml")) ? SCAN_XML : SCAN_TEXT;
}

enum scan_type scan_type_of(str head)
{
    if (head.n == 0)
        return SCAN_EMPTY;
    if (has(head, 0, S("MZ")))
        return of_mz(head);
    if (has(head, 0, S("\xca\xfe\xba\xbe")))
        return of_cafebabe(head);
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
        if (has(head, signatures[i].at, signatures[i].octets))
            return signatures[i].type;
    size_t pdf = str_search(str_sub(head, 0, SCAN_HEAD), S("%PDF-")); /* readers take it within the first 1024 */
    if (pdf != STR_NONE)
        return SCAN_PDF;
    return of_text(head);
}

str scan_extension(str name, char mem[SCAN_EXTENSION_MAX])
{
    while (name.n && (name.p[name.n - 1] == '.' || (unsigned char)name.p[name.n - 1] <= ' ' ||
                      memchr("\"';,>)]", name.p[name.n - 1], 7)))
        name.n--;
    size_t dot = str_rfind(name, '.');
    str e = dot == STR_NONE ? S("") : str_skip(name, dot + 1);
    if (e.n > SCAN_EXTENSION_MAX || str_find(e, '/') != STR_NONE || str_find(e, '\\') != STR_NONE)
        return S("");
    for (size_t i = 0; i < e.n; i++)
        mem[i] = ascii_lower(e.p[i]);
    return str_mem(mem, e.n);
}
