/* Keys and tokens made by PyJWT 2.6 and cryptography 38: valid until 2100, for the audience "mail". */
#ifndef OAUTH_TEST_TOKENS_H
#define OAUTH_TEST_TOKENS_H

static const char keys_json[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"use\":\"sig\",\"n\":\"swKwAWv0y5gC1_EvBHbcbcNsVDFSkWEuky"
    "0F_2xZ7UJHPT7mwbeJtDSH68nCl39uCbXubAkV6HPFyC01s7fQQNtItjdlDPzMWIHZb8eIm3Iqi7mQZU__72FUl1IdI2zzHybJ-2"
    "5Rxnc9Q7s8yq7LP9G0WgE33Vg21FC8EjcekuOVxQNOzLQrjtoKz1PbYL53mcpkRZpDQ1DH32XBnXa_qD6hQUUOXid_SbqjYrs1zk"
    "uvTjE5kFsmXVBLn_o0VsxPi8msY7TcqpR3SAZuy8Tcd0lQQ2RDgtaDqXeO15LGgAop2YWmOkbekvk0FoMypxl4yXRepdDPqQe8sx"
    "R7TorfjQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"DzAklRx6OoYaGM8-V"
    "GCrM2UEXD2XB_JKgSRmniSLNPU\",\"y\":\"qBr4UcSYM2T2ugWR1xzHJ6htjnkCDtoYXIrabTURzeE\"},{\"kty\":\"OKP\""
    ",\"kid\":\"o\",\"crv\":\"Ed25519\",\"x\":\"iymSxryMPF8ybnxFa_1QmRH-ZFHKIhGddR11vy-09pA\"},{\"kty\":\""
    "RSA\",\"kid\":\"weak\",\"n\":\"tT7BHK9cD3E6p4Yn4qdIFnMlLkmS6dWu4iHrg2rrsMyMN6lxTSzbs_MN6Tf07LF4jKT1f"
    "CvbA0Yq2Wd9Lbni6MpyQDio3b1tYuLcFDBjs_wkebjcWDTUTCrhuajqgp35e1kJq7LfsN0f8qRAGiBz408OW0DrgdUPjXrz_E3Cm"
    "_E\",\"e\":\"AQAB\"},{\"kty\":\"RSA\",\"kid\":\"enc\",\"use\":\"enc\",\"n\":\"swKwAWv0y5gC1_EvBHbcbc"
    "NsVDFSkWEuky0F_2xZ7UJHPT7mwbeJtDSH68nCl39uCbXubAkV6HPFyC01s7fQQNtItjdlDPzMWIHZb8eIm3Iqi7mQZU__72FUl1"
    "IdI2zzHybJ-25Rxnc9Q7s8yq7LP9G0WgE33Vg21FC8EjcekuOVxQNOzLQrjtoKz1PbYL53mcpkRZpDQ1DH32XBnXa_qD6hQUUOXi"
    "d_SbqjYrs1zkuvTjE5kFsmXVBLn_o0VsxPi8msY7TcqpR3SAZuy8Tcd0lQQ2RDgtaDqXeO15LGgAop2YWmOkbekvk0FoMypxl4yX"
    "RepdDPqQe8sxR7TorfjQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"kid\":\"off\",\"crv\":\"P-256\",\"x\":\"DzA"
    "klRx6OoYaGM8-VGCrM2UEXD2XB_JKgSRmniSLNPU\",\"y\":\"DzAklRx6OoYaGM8-VGCrM2UEXD2XB_JKgSRmniSLNPU\"},{\""
    "kty\":\"oct\",\"kid\":\"mac\",\"k\":\"c2VjcmV0\"},{\"kty\":\"RSA\",\"kid\":\"rs-only\",\"alg\":\"RS2"
    "56\",\"n\":\"swKwAWv0y5gC1_EvBHbcbcNsVDFSkWEuky0F_2xZ7UJHPT7mwbeJtDSH68nCl39uCbXubAkV6HPFyC01s7fQQNt"
    "ItjdlDPzMWIHZb8eIm3Iqi7mQZU__72FUl1IdI2zzHybJ-25Rxnc9Q7s8yq7LP9G0WgE33Vg21FC8EjcekuOVxQNOzLQrjtoKz1P"
    "bYL53mcpkRZpDQ1DH32XBnXa_qD6hQUUOXid_SbqjYrs1zkuvTjE5kFsmXVBLn_o0VsxPi8msY7TcqpR3SAZuy8Tcd0lQQ2RDgta"
    "DqXeO15LGgAop2YWmOkbekvk0FoMypxl4yXRepdDPqQe8sxR7TorfjQ\",\"e\":\"AQAB\"}]}";
static const char token_rs256[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWlsI"
    "iwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.fsyjFbbLHlyuC3f12_Mu-diDoNkRwAyvL06s"
    "EqQVJomYGlvWl7qKqg8IHSMIsRt3ZkiyE7sJQmlbL8wE27dcA6RvU5x7vuycfUh6ZDKB_w1P0L8mrAinrChkJ54sOHhSYNx8taTV"
    "Qp6ZC2DC8XUpbg0tgVdWmedDBlxvkPiE7BpBPFVtUaCBe4NyEYxW4uowBxxn9Z1NBKGkOlRiu3jI9wodWgFK0_qAtHTdu2W-Bkw0"
    "AAdUU65SpVZaIeF-3glthkChNmSopY0qYOqhrUcKWs4XZNTS8RwU27lMWgeCOYX_yWws_0nYXJimVi2qajl-8arAnOuTOQKytMaz"
    "tZtt1A";
static const char token_ps256[] =
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWlsI"
    "iwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.S8ynTDoUzLjyV_2Jh7eq3gnDzr6xej-BJe0z"
    "C-d_GZDk_E0NEzpwyNP640wzMJWv9RuX4OJTSDkRLT5w3dBz_u6vliwMVG6fN9oS30XrABqfHvVUA0HhR9t2X_qpFTM4YIevAD0q"
    "vQ1nJ19nrq-TjgN0ASWbx57maNYYj3JFsey9fBodbVAi-JfSQ-xLEyy9_wRpPFd_eaxYpw9oEbiiwjl46g92DDul9nM0y6tjby9j"
    "MSkDHbijZoKAyEbPVrSl-XcibasovtX8wgSAJTQwQl1BOQ19k1A_cGDY5REgwizLJquHwD0qLl3cfQyWOUA-ifYR40fmPAhbPaOw"
    "SlUtKQ";
static const char token_es256[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWlsI"
    "iwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.ROtDgnhmMhUhbCSddSnQgut46Djz7WjEJsyl"
    "A8kfF_n5EveQV83JNfccLJK3CKNxIFAVcwzMcexK66AXeUO9Hw";
static const char token_eddsa[] =
    "eyJhbGciOiJFZERTQSIsImtpZCI6Im8iLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWlsI"
    "iwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.0pybURkkPfynRhF4AW7s_-nN6cQufFo8h5C3"
    "LXuggAwP65s-wWENafdFgsZ6dlYJpqgoYWBNUKad95_Ka5RbAw";
static const char token_nokid[] =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWlsIiwiZXhwIjo0MTA"
    "yNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.SDy7zkcue0ix6TmgNtVxDasLvrGticx2I-WwPKifNNI32QDmiT"
    "YwgbflV7YTqOdiuxkjEjfAdcmM4ytRZN_4-w";
static const char token_unknown[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6Im5ldyIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWl"
    "sIiwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.RLjkoOGghbmb3lLNFg_hy_aZ5o6bx6nr7e"
    "9QAkM3Rskb8wpYBxA409m68yqvKlWDtXKW1Nf29dOxtWYxdMjsgg";
static const char token_cross[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWlsI"
    "iwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.RmOwTPadKF_EbPxdLSyEQoduFY4gn_UH7pBP"
    "RTOBFbn1ZlERLv7tY2Fi9EY5_5_hvO1fHxpsJc3lbmoYYNbv3w";
static const char token_weak[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IndlYWsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtY"
    "WlsIiwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.RCuEQcwyBoO0JM-mOhpIdZ0Uxey0wv77"
    "0b_LsxDsoOmyA2C_Jf3yZBWW1T20N7HgUryvvor90N1uAo1OGcxPShyrm76dk7_7ST7bBMKE3Bxtufa9K8zHDaieAcCY--luYy8e"
    "J5rmAflekrhPF1-QwC1a7p80vTml3C1LzuHAzbw";
static const char token_enc[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImVuYyIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWl"
    "sIiwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.Roi8RRlTxSrrW94IfEg8MLgvJ_s8td5ZEJ"
    "cIdfzeM-IwtR9hezBfZm9Tynum3QmUki4oRRcVnOjUS8vIpZySzHIStqNyhCh338QzCIzKva-qL4mL2rEPcpyWHxR2FPu6N_63xP"
    "29RpCTjYy15F0DWa33JKkmcHry9P3jxReF-lcEH7Xkktw4YYNWcIW5D6exA2wmWkyDi00wyN5upLPcJRKkIbywzJbg30WaJBq4wd"
    "zGWJMA8ky1PUUE8LR8CWhWubXP9aKQTAiVf94RrMjOo1DB5dZM88pJS5bSHX7CExi9286KncpZt_SlxsqZ5NculF_eegW7DtD91s"
    "9lPnmj8Q";
static const char token_rs_only[] =
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InJzLW9ubHkiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiO"
    "iJtYWlsIiwiZXhwIjo0MTAyNDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.LldAfZB-4f685Y3PFUY-P9qvDc4u"
    "-XLV_Ioq-He_-I60zpmlrV8GQDmpWNG7IyN9iJq57l9WiqLR02oelGlVS975HasFKWcOukb83RcOUeQ7UY1SjK2pzaTH_FhadBeh"
    "xIoeLYOOlwpdBRzf9no-I-Kb-jX-tei3tuBOlQOptaYSpfdMbCdcUu6Muj0rj6sGYQK524SpwNcg3DjEjXItQlhpu9w15JhpSa4R"
    "ZJLGzpR3d7PQOWullveSdiVidJ6C-vpZ1NY_oWmohcNPIidhSgdYsPqpGPjFNndGZlPTuv1e6y_Lr8jvlw8bl-4U44clY-QmgWXe"
    "zeniskPc5Zd9dw";
static const char token_hs256[] =
    "eyJhbGciOiJIUzI1NiIsImtpZCI6InIifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC50ZXN0IiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6I"
    "DQxMDI0NDQ4MDAsICJlbWFpbCI6ICJBbGljZUBFeGFtcGxlLnRlc3QifQ.k22gcP-mcor9d5P5bBJYKvQSHYEiMaAU4IeDEQgIJK"
    "Q";
static const char token_none[] =
    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJtYWlsIiwiZXhwIjo0MTAy"
    "NDQ0ODAwLCJlbWFpbCI6IkFsaWNlQEV4YW1wbGUudGVzdCJ9.";

#endif
