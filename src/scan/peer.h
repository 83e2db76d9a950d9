/* The way to a scanner. */
#ifndef SCAN_PEER_H
#define SCAN_PEER_H
#include "net/net.h"
#include "scan/scan.h"
#include "wire/endpoint.h"

/* Connects, to each address of a name in turn. */
err peer_connect(const struct endpoint *at, struct conn *c, rt_time deadline, struct buf *why) YIELDS;

#endif
