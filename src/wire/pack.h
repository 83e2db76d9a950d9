/* Compressed text: gzip (RFC 1952) both ways, and the ZIP archives that reports come in. Pure. */
#ifndef WIRE_PACK_H
#define WIRE_PACK_H
#include "base/buf.h"

/* As gzip. E_LIMIT, E_NOMEM of `out`. */
err pack_gzip(str in, struct buf *out);
/* Unpacks gzip, or the first file of a ZIP archive; what is neither is text and copied. E_LIMIT: more than out->max,
 * which is what stops a bomb; E_SYNTAX: broken, encrypted or of another method. */
err pack_open(str in, struct buf *out);

#endif
