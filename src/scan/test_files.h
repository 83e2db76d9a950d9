/* Archives made by programs of others (zip, tar, gzip, 7z) or by hand (rar, what is damaged), in base64. */
#define ZIP_EXE                                                                                                        \
    "UEsDBBQAAAAIAAAAIQCGphA2BwAAAAUAAAAPAAAAZG9jcy9yZWFkbWUudHh0y0jNyckHAFBLAwQU\r\n"                                 \
    "AAAACAAAACEAAAAAAAIAAAAAAAAABQAAAGRvY3MvAwBQSwMEFAAAAAgAAAAhAC5wXaQNAAAATAAA\r\n"                                 \
    "AAwAAABkb2NzL3J1bi5leGXzjWIgGzgAcYArgg8AUEsBAhQDFAAAAAgAAAAhAIamEDYHAAAABQAA\r\n"                                 \
    "AA8AAAAAAAAAAAAAAIABAAAAAGRvY3MvcmVhZG1lLnR4dFBLAQIUAxQAAAAIAAAAIQAAAAAAAgAA\r\n"                                 \
    "AAAAAAAFAAAAAAAAAAAAAACAATQAAABkb2NzL1BLAQIUAxQAAAAIAAAAIQAucF2kDQAAAEwAAAAM\r\n"                                 \
    "AAAAAAAAAAAAAACAAVkAAABkb2NzL3J1bi5leGVQSwUGAAAAAAMAAwCqAAAAkAAAAAAA\r\n"
#define ZIP_STORED                                                                                                     \
    "UEsDBBQAAAAAAAAAIQCGphA2BQAAAAUAAAAFAAAAYS50eHRoZWxsb1BLAwQUAAAAAAAAACEALnBd\r\n"                                 \
    "pEwAAABMAAAABQAAAGIuZGF0TVoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAFBFAAAAAAAAAAAAAFBLAQIUAxQAAAAAAAAAIQCGphA2\r\n"                                 \
    "BQAAAAUAAAAFAAAAAAAAAAAAAACAAQAAAABhLnR4dFBLAQIUAxQAAAAAAAAAIQAucF2kTAAAAEwA\r\n"                                 \
    "AAAFAAAAAAAAAAAAAACAASgAAABiLmRhdFBLBQYAAAAAAgACAGYAAACXAAAAAAA=\r\n"
#define ZIP_STREAMED                                                                                                   \
    "UEsDBBQACAAIAAAAIQAAAAAAAAAAAAAAAAAFAAAAYS50eHTLSM3Jyc8YiQQAUEsHCDtqAU4KAAAA\r\n"                                 \
    "+gAAAFBLAwQUAAgACAAAACEAAAAAAAAAAAAAAAAABQAAAGIuc2Ny841iIBs4AHGAK4IPAFBLBwgu\r\n"                                 \
    "cF2kDQAAAEwAAABQSwECFAMUAAgACAAAACEAO2oBTgoAAAD6AAAABQAAAAAAAAAAAAAAgAEAAAAA\r\n"                                 \
    "YS50eHRQSwECFAMUAAgACAAAACEALnBdpA0AAABMAAAABQAAAAAAAAAAAAAAgAE9AAAAYi5zY3JQ\r\n"                                 \
    "SwUGAAAAAAIAAgBmAAAAfQAAAAAA\r\n"
#define ZIP_CUT                                                                                                        \
    "UEsDBBQAAAAIAAAAIQCGphA2BwAAAAUAAAAFAAAAYS50eHTLSM3JyQcAUEsDBBQAAAAIAAAAIQAu\r\n"                                 \
    "cF2kDQAAAEwAAAAFAAAAYi5leGXzjWIgGzgAcYArgg8AUEsBAhQDFAAAAAgAAAAhAIamEDYHAAAA\r\n"                                 \
    "BQAAAAUA\r\n"
#define ZIP_SECRET                                                                                                     \
    "UEsDBBQAAQAIAMV+dl0ucF2kKAAAAEwAAAAFAAAAYS5leGU/omvGQozahIkaWn2l9/mTd+wbqvLx\r\n"                                 \
    "5oQUi2EUlfOPPSG4ZnW91egiUEsBAj8DFAABAAgAxX52XS5wXaQoAAAATAAAAAUAJAAAAAAAAAAg\r\n"                                 \
    "gKSBAAAAAGEuZXhlCgAgAAAAAAABABgAuAectZl63QEAAAAAAAAAAAAAAAAAAAAAUEsFBgAAAAAB\r\n"                                 \
    "AAEAVwAAAEsAAAAAAA==\r\n"
#define DOCX                                                                                                           \
    "UEsDBBQAAAAIAAAAIQAnVYgkHwAAAB0AAAATAAAAW0NvbnRlbnRfVHlwZXNdLnhtbLOxr8jNUShL\r\n"                                 \
    "LSrOzM+zVTfUM1C3t7MJqSxILda3AwBQSwMEFAAAAAgAAAAhACMkH98JAAAABwAAABEAAAB3b3Jk\r\n"                                 \
    "L2RvY3VtZW50LnhtbLOxr8jNsbcDAFBLAQIUAxQAAAAIAAAAIQAnVYgkHwAAAB0AAAATAAAAAAAA\r\n"                                 \
    "AAAAAACAAQAAAABbQ29udGVudF9UeXBlc10ueG1sUEsBAhQDFAAAAAgAAAAhACMkH98JAAAABwAA\r\n"                                 \
    "ABEAAAAAAAAAAAAAAIABUAAAAHdvcmQvZG9jdW1lbnQueG1sUEsFBgAAAAACAAIAgAAAAIgAAAAA\r\n"                                 \
    "AA==\r\n"
#define DOCM                                                                                                           \
    "UEsDBBQAAAAIAAAAIQAnVYgkHwAAAB0AAAATAAAAW0NvbnRlbnRfVHlwZXNdLnhtbLOxr8jNUShL\r\n"                                 \
    "LSrOzM+zVTfUM1C3t7MJqSxILda3AwBQSwMEFAAAAAgAAAAhACMkH98JAAAABwAAABEAAAB3b3Jk\r\n"                                 \
    "L2RvY3VtZW50LnhtbLOxr8jNsbcDAFBLAwQUAAAACAAAACEAcPKUug0AAAAcAAAAEwAAAHdvcmQv\r\n"                                 \
    "dmJhUHJvamVjdC5iaW67cF7wwcKNUg8ZsAAAUEsBAhQDFAAAAAgAAAAhACdViCQfAAAAHQAAABMA\r\n"                                 \
    "AAAAAAAAAAAAAIABAAAAAFtDb250ZW50X1R5cGVzXS54bWxQSwECFAMUAAAACAAAACEAIyQf3wkA\r\n"                                 \
    "AAAHAAAAEQAAAAAAAAAAAAAAgAFQAAAAd29yZC9kb2N1bWVudC54bWxQSwECFAMUAAAACAAAACEA\r\n"                                 \
    "cPKUug0AAAAcAAAAEwAAAAAAAAAAAAAAgAGIAAAAd29yZC92YmFQcm9qZWN0LmJpblBLBQYAAAAA\r\n"                                 \
    "AwADAMEAAADGAAAAAAA=\r\n"
#define JAR                                                                                                            \
    "UEsDBBQAAAAIAAAAIQB631ogGAAAABYAAAAUAAAATUVUQS1JTkYvTUFOSUZFU1QuTUbzTczLTEst\r\n"                                 \
    "LtENSy0qzszPs1Iw1DPgAgBQSwMEFAAAAAgAAAAhAMG3F48KAAAACAAAAAcAAABBLmNsYXNzO/Vv\r\n"                                 \
    "1z4GBgYTAFBLAQIUAxQAAAAIAAAAIQB631ogGAAAABYAAAAUAAAAAAAAAAAAAACAAQAAAABNRVRB\r\n"                                 \
    "LUlORi9NQU5JRkVTVC5NRlBLAQIUAxQAAAAIAAAAIQDBtxePCgAAAAgAAAAHAAAAAAAAAAAAAACA\r\n"                                 \
    "AUoAAABBLmNsYXNzUEsFBgAAAAACAAIAdwAAAHkAAAAAAA==\r\n"
#define TGZ                                                                                                            \
    "H4sIAAAAAAACA0vUK6koYaAtMAACMxMTMA0E6DQQmCKxQeJmZmaGDAoGDHQApcUliUUKCgwjFGSk\r\n"                                 \
    "5uTkM4yCkQpSMov0k/RSK1IHMP8bGpqg5X9zEwPj0fxPD+AbRb5eByAOcB3NQ6NgFAxVAAAQ/3v2\r\n"                                 \
    "AAoAAA==\r\n"
#define TGZ_LONG                                                                                                       \
    "H4sIAAAAAAACA9PT19N38MnPS/fJzMtmoA0wgABctIGRgRGcDRE3NzcxZ1DwYaADKC0uSSxSUGAY\r\n"                                 \
    "oSBlgIB+DjDN6aVWpDKMguEe/6BMbWZigjP/GxqaoOZ/Y0NjI2MGBYPR/E9z4BtFvl4HIA5wHc1D\r\n"                                 \
    "o2AUDFUAACcu05QACgAA\r\n"
#define TGZ_PAX                                                                                                        \
    "H4sIAAAAAAACA9PT19N3CEis8EhNTEktYqAJMIAAXLSBkaEhnA0WNzQwMjBnUKhgoAMoLS5JLAJa\r\n"                                 \
    "zzAygaGxuUJBYkmGbcoAAf3DK/VSK1K5GEbBQAB6RDEoU5uZmODM/4aGJqj539jQ2MyYQcFgNP/T\r\n"                                 \
    "HPhGka/XAYgDXEfz0CgYBUMVAAC+jLZJAAoAAA==\r\n"
#define GZ_EXE "H4sIAAAAAAACA/ONYiAbOABxgCuCDwAucF2kTAAAAA==\r\n"
#define RAR4                                                                                                           \
    "UmFyIRoHAM+QcwAADQAAAAAAAABuFnQAgCUABQAAAAUAAAAAAAAAAAAAAAAUMAUAAAAAAGEudHh0\r\n"                                 \
    "aGVsbG+bJnQEgCUATAAAAEwAAAAAAAAAAAAAAAAUMAUAAAAAAGIuZXhlTVoAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAFBFAAAAAAAA\r\n"                                 \
    "AAAAAMQ9ewBABwA=\r\n"
#define RAR4_SECRET "UmFyIRoHAM6Zc4AADQAAAAAAAADEPXsAQAcA\r\n"
#define RAR5                                                                                                           \
    "UmFyIRoHAQDFGjMyAwEAADRHHJIOAgIFAAUAAAAFYS50eHRoZWxsb9gBiksTAgMETABMAAAABWIu\r\n"                                 \
    "ZXhlAwEAAE1aAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAEAAAABQRQAAAAAAAAAAAAAZsjo1AwUAAA==\r\n"
#define RAR5_SECRET                                                                                                    \
    "UmFyIRoHAQCAWz0PFQQAAAAAeHh4eHh4eHh4eHh4eHh4eHl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5\r\n"                                 \
    "eXl5eXl5eXl5eXl5eXl5eXk=\r\n"
#define SEVENZIP                                                                                                       \
    "N3q8ryccAARfb7aiFwAAAAAAAABSAAAAAAAAAHIyezXgAEsAD10AJpZ8G4yrPgN7vXBA0VAAAAEE\r\n"                                 \
    "BgABCRcABwsBAAEhIQEADEwACAoBLnBdpAAABQEZDAAAAAAAAAAAAAAAABENAGEALgBlAHgAZQAA\r\n"                                 \
    "ABQKAQColJ+1mXrdARUGAQAggKSBAAA=\r\n"
#define SEVENZIP_PACKED                                                                                                \
    "N3q8ryccAATZZjQmkAAAAAAAAAAuAAAAAAAAABuJRsTJ6tOsBlRZ7hCqI+JPusbM8bIuQaXA73MB\r\n"                                 \
    "yWtj4DWV9kI+Mr5xTSL8ywacsOq9yvHWSaoc2i93e2mDdOZau3XDGpz2Fz+iR73orekg/wGVbDJt\r\n"                                 \
    "K/hMigdPQ2BCBBCXK3kWadvi7nTqt1LwGFs9R/tFuXp3IKsW9mYhC4zUAIWl90Qp5PpKKr9TupvW\r\n"                                 \
    "BCmv1CwXBiABCXAABwsBAAEkBvEHARJTD87WNzAl2Kz/zjgwq8QH0DgMYgoBBvjXmQAA\r\n"
#define OLE_MACRO                                                                                                      \
    "0M8R4KGxGuEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAF8AVgBCAEEAXwBQAFIA\r\n"                                 \
    "TwBKAEUAQwBUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
#define PDF_RUNS                                                                                                       \
    "JVBERi0xLjQKMSAwIG9iajw8L09wZW5BY3Rpb248PC9TL0xhdW5jaC9GKGNtZC5leGUpPj4+PmVu\r\n"                                 \
    "ZG9iago=\r\n"
#define PE                                                                                                             \
    "TVoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAQAAAAFBFAAAAAAAAAAAAAA==\r\n"
#define ZIP_TWO                                                                                                        \
    "UEsDBBQAAAAIAAAAIQAnVYgkHwAAAB0AAAATAAAAW0NvbnRlbnRfVHlwZXNdLnhtbLOxr8jNUShL\r\n"                                 \
    "LSrOzM+zVTfUM1C3t7MJqSxILda3AwBQSwMEFAAAAAgAAAAhACMkH98JAAAABwAAABEAAAB3b3Jk\r\n"                                 \
    "L2RvY3VtZW50LnhtbLOxr8jNsbcDAFBLAQIUAxQAAAAIAAAAIQAnVYgkHwAAAB0AAAATAAAAAAAA\r\n"                                 \
    "AAAAAACAAQAAAABbQ29udGVudF9UeXBlc10ueG1sUEsBAhQDFAAAAAgAAAAhACMkH98JAAAABwAA\r\n"                                 \
    "ABEAAAAAAAAAAAAAAIABUAAAAHdvcmQvZG9jdW1lbnQueG1sUEsFBgAAAAACAAIAgAAAAIgAAAAA\r\n"                                 \
    "AFBLAwQUAAAACAAAACEALnBdpA0AAABMAAAABQAAAGIuZXhl841iIBs4AHGAK4IPAFBLAQIUAxQA\r\n"                                 \
    "AAAIAAAAIQAucF2kDQAAAEwAAAAFAAAAAAAAAAAAAACAAQAAAABiLmV4ZVBLBQYAAAAAAQABADMA\r\n"                                 \
    "AAAwAAAAAAA=\r\n"
#define ZIP_TWO_NAMES                                                                                                  \
    "UEsDBBQAAAAIAAAAIQCGphA2BwAAAAUAAAAFAAAAYS50eHTLSM3JyQcAUEsBAhQDFAAAAAgAAAAh\r\n"                                 \
    "AIamEDYHAAAABQAAAAUAAAAAAAAAAAAAAIABAAAAAGIuZXhlUEsFBgAAAAABAAEAMwAAACoAAAAA\r\n"                                 \
    "AA==\r\n"
#define ZIP_JUNK                                                                                                       \
    "VGhpcyBpcyBubyBhcmNoaXZlLgpUaGlzIGlzIG5vIGFyY2hpdmUuClRoaXMgaXMgbm8gYXJjaGl2\r\n"                                 \
    "ZS4KUEsDBBQAAAAIAAAAIQAucF2kDQAAAEwAAAAFAAAAYi5leGXzjWIgGzgAcYArgg8AUEsBAhQD\r\n"                                 \
    "FAAAAAgAAAAhAC5wXaQNAAAATAAAAAUAAAAAAAAAAAAAAIABAAAAAGIuZXhlUEsFBgAAAAABAAEA\r\n"                                 \
    "MwAAADAAAAAAAA==\r\n"
/* Local headers that are wrong about the size of the first file, of which the central directory says the truth. */
#define ZIP_STORED_SHORT                                                                                               \
    "UEsDBBQAAAAAAIMYIlx1fD+XAQAAAAEAAAAFAAAAYi50eHRNWgAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAAAAUEUAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFBLAwQUAAAA\r\n"                                 \
    "AACDGCJchqYQNgUAAAAFAAAABQAAAGMudHh0aGVsbG9QSwECFAMUAAAAAACDGCJcdXw/l4AAAACA\r\n"                                 \
    "AAAABQAAAAAAAAAAAAAAgAEAAAAAYi50eHRQSwECFAMUAAAAAACDGCJchqYQNgUAAAAFAAAABQAA\r\n"                                 \
    "AAAAAAAAAAAAgAGjAAAAYy50eHRQSwUGAAAAAAIAAgBmAAAAywAAAAAA\r\n"
#define ZIP_STORED_NONE                                                                                                \
    "UEsDBBQAAAAAAIMYIlx1fD+XAAAAAAAAAAAFAAAAYi50eHRNWgAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAAAAUEUAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFBLAwQUAAAA\r\n"                                 \
    "AACDGCJchqYQNgUAAAAFAAAABQAAAGMudHh0aGVsbG9QSwECFAMUAAAAAACDGCJcdXw/l4AAAACA\r\n"                                 \
    "AAAABQAAAAAAAAAAAAAAgAEAAAAAYi50eHRQSwECFAMUAAAAAACDGCJchqYQNgUAAAAFAAAABQAA\r\n"                                 \
    "AAAAAAAAAAAAgAGjAAAAYy50eHRQSwUGAAAAAAIAAgBmAAAAywAAAAAA\r\n"
#define ZIP_STORED_STREAMED                                                                                            \
    "UEsDBBQACAAAAIMYIlx1fD+XAAAAAAAAAAAFAAAAYi50eHRNWgAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAAAAUEUAAAAAAAAAAAAAAAAA\r\n"                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFBLAwQUAAAA\r\n"                                 \
    "AACDGCJchqYQNgUAAAAFAAAABQAAAGMudHh0aGVsbG9QSwECFAMUAAAAAACDGCJcdXw/l4AAAACA\r\n"                                 \
    "AAAABQAAAAAAAAAAAAAAgAEAAAAAYi50eHRQSwECFAMUAAAAAACDGCJchqYQNgUAAAAFAAAABQAA\r\n"                                 \
    "AAAAAAAAAAAAgAGjAAAAYy50eHRQSwUGAAAAAAIAAgBmAAAAywAAAAAA\r\n"
#define ZIP_DEFLATED_SHORT                                                                                             \
    "UEsDBBQAAAAIAIMYIlx1fD+XAwAAAAMAAAAFAAAAYi50eHTzjWIgGzgAcYAr+fpBAABQSwMEFAAA\r\n"                                 \
    "AAgAgxgiXPXck38KAAAALQAAAAUAAABjLnR4dMtIzcnJzyCSAABQSwECFAMUAAAACACDGCJcdXw/\r\n"                                 \
    "lw8AAACAAAAABQAAAAAAAAAAAAAAgAEAAAAAYi50eHRQSwECFAMUAAAACACDGCJc9dyTfwoAAAAt\r\n"                                 \
    "AAAABQAAAAAAAAAAAAAAgAEyAAAAYy50eHRQSwUGAAAAAAIAAgBmAAAAXwAAAAAA\r\n"
#define ZIP_DEFLATED_NONE                                                                                              \
    "UEsDBBQAAAAIAIMYIlx1fD+XAAAAAAAAAAAFAAAAYi50eHTzjWIgGzgAcYAr+fpBAABQSwMEFAAA\r\n"                                 \
    "AAgAgxgiXPXck38KAAAALQAAAAUAAABjLnR4dMtIzcnJzyCSAABQSwECFAMUAAAACACDGCJcdXw/\r\n"                                 \
    "lw8AAACAAAAABQAAAAAAAAAAAAAAgAEAAAAAYi50eHRQSwECFAMUAAAACACDGCJc9dyTfwoAAAAt\r\n"                                 \
    "AAAABQAAAAAAAAAAAAAAgAEyAAAAYy50eHRQSwUGAAAAAAIAAgBmAAAAXwAAAAAA\r\n"
#define ZIP_DEFLATED_LONG                                                                                              \
    "UEsDBBQAAAAIAIMYIlx1fD+XoA8AAKAPAAAFAAAAYi50eHTzjWIgGzgAcYAr+fpBAABQSwMEFAAA\r\n"                                 \
    "AAgAgxgiXPXck38KAAAALQAAAAUAAABjLnR4dMtIzcnJzyCSAABQSwECFAMUAAAACACDGCJcdXw/\r\n"                                 \
    "lw8AAACAAAAABQAAAAAAAAAAAAAAgAEAAAAAYi50eHRQSwECFAMUAAAACACDGCJc9dyTfwoAAAAt\r\n"                                 \
    "AAAABQAAAAAAAAAAAAAAgAEyAAAAYy50eHRQSwUGAAAAAAIAAgBmAAAAXwAAAAAA\r\n"
