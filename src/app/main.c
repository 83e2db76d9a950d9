/* postrider: one program, several names and commands. What each command does is in its room. */
#include "app/app.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc == 4 && str_eq(str_c(argv[1]), S("serve")) && str_eq(str_c(argv[2]), S("-c")))
        return app_serve(argv[3]);
    fprintf(stderr, "usage: postrider serve -c FILE\n");
    return 64;
}
