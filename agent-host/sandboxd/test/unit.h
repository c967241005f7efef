/* What the files of unit tests share. */
#ifndef SANDGATE_UNIT_H
#define SANDGATE_UNIT_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(claim)                                                         \
    do {                                                                     \
        if (claim) break;                                                    \
        fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, __func__, #claim); \
        exit(1);                                                             \
    } while (0)

void unit_ports(void);

#endif
