/* SPDX-License-Identifier: Apache-2.0 */
/* Torch files that somebody made: each rule of zip_archive.c, pickle.c and
 * torch_file.c, kept and broken. */
#include "base/alloc.h"
#include "checkpoint/checkpoint.h"
#include "tests/unit/torch_archive.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Parse a copy of exactly size bytes, so that a sanitizer sees any read behind it. */
static int parse(const unsigned char *data, size_t size, aim_error *err)
{
    unsigned char *copy = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, size);
    int code = aim_torch_parse(copy, size, "f", NULL, NULL, err);
    free(copy);
    ck_assert_int_eq(code, err->code);
    return code;
}

static int parse_pickle(const void *pickle, size_t size, aim_error *err)
{
    struct archive a = archive_around(pickle, size, false);
    int code = parse(a.data, a.size, err);
    free(a.data);
    return code;
}

/* error is a part of the text, or NULL for what is accepted. */
static void check_outcome(const aim_error *err, const char *error)
{
    if (!error)
        ck_assert_msg(err->code == AIM_OK, "%s", err->text);
    else
        ck_assert_msg(strstr(err->text, error), "\"%s\", wanted \"%s\"", err->text, error);
}

/* ---- pickles --------------------------------------------------------------- */

#define OS "cos\nsystem\n"
#define ODICT "ccollections\nOrderedDict\n)R"
#define ID(type, key, n) "(U\007storage" type key "U\003cpu" n "t"
#define STORAGE(type, key, n) ID("ctorch\n" type "\n", "U\001" key, n) "Q"
#define SIX STORAGE("FloatStorage", "0", "K\006")
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"
#define TENSOR(storage, offset, size, stride)                                                      \
    REBUILD "(" storage offset size stride "\x89" ODICT "tR"
#define ROW "K\006\x85"
#define ONE "K\001\x85"
#define GOOD TENSOR(SIX, "K\000", ROW, ONE)
#define LAYOUT(offset, size, stride) IN(TENSOR(SIX, offset, size, stride))
#define PARAMETER(tensor) "ctorch._utils\n_rebuild_parameter\n" tensor "\x88" ODICT "\x87R"
/* An integer of 8 bytes, given from the lowest. */
#define LONG8(bytes) "\x8a\010" bytes
#define HUGE_NUMBER LONG8("\xff\xff\xff\xff\xff\xff\xff\x7f")
#define MINUS_ONE "J\xff\xff\xff\xff"

#define WHOLE(body) "\x80\002" body "."
#define IN(value) WHOLE("}U\001a" value "s")     /* {"a": value} */
#define WITH_STATE(state) WHOLE(ODICT state "b") /* a state dict with attributes */
#define METADATA(value) WITH_STATE("}U\011_metadata" value "s")
#define CLASS "caihwkit_lightning.simulator.parameters.io\nIOParameters\n"
#define OBJECT CLASS ")\x81"

#define CASE(pickle, error)                                                                        \
    {                                                                                              \
        pickle, sizeof(pickle) - 1, error                                                          \
    }

static const struct pickle_case {
    const char *pickle;
    size_t size;
    const char *error;
} pickle_cases[] = {
    /* what is read */
    CASE(IN(GOOD), NULL),
    CASE(WHOLE("}"), NULL),
    CASE(WHOLE(ODICT), NULL),
    CASE(WHOLE(ODICT "(U\001a" GOOD "U\001b" GOOD "u"), NULL),
    CASE(WHOLE("}(U\001a" GOOD "u(U\001b" GOOD "u(u"), NULL),
    CASE(WHOLE("}q\000X\001\000\000\000aq\001" GOOD "r\002\000\000\000sU\001b"
               "j\002\000\000\000s"),
         NULL),
    CASE(LAYOUT("M\000\000", "K\002M\003\000\x86", "\x8a\001\003J\001\000\000\000\x86"), NULL),
    CASE(LAYOUT("K\000", "K\003K\002\x86", "K\001K\003\x86"), NULL),
    CASE(LAYOUT("\x8a\000", "(K\001K\001K\001K\001K\001K\001K\001K\001t", "(NNNNNNNNt"),
         "sizes and strides must be integers"),
    CASE(LAYOUT("K\006", "K\000\x85", ONE), NULL),
    CASE(LAYOUT("K\005", ")", ")"), NULL),
    CASE(LAYOUT("K\000", "ctorch\nSize\n" ROW "\x85R", ONE), NULL),
    CASE(IN(PARAMETER(GOOD)), NULL),
    CASE(IN(TENSOR(STORAGE("BFloat16Storage", "1", "K\004"), "K\000", "K\004\x85", ONE)), NULL),
    CASE(IN(TENSOR(STORAGE("LongStorage", "1", "K\001"), "K\000", ")", ")")), NULL),
    /* below _metadata */
    CASE(METADATA("N"), NULL),
    CASE(METADATA("]K\001aG\x3f\xf0\0\0\0\0\0\0a(NNe"), NULL),
    CASE(METADATA(OBJECT "}U\006in_resK\xfe"
                         "sb"),
         NULL),
    CASE(METADATA("c__builtin__\ngetattr\n" CLASS "U\001x\x86R"), NULL),
    CASE(METADATA(CLASS "U\001x\x85R"), NULL),
    CASE(METADATA("}U\000}U\001v" OBJECT "ss"), NULL),
    CASE(METADATA(OS), "the global os.system is refused"),
    CASE(METADATA("caihwkit_lightningrod.io\nX\n"), "aihwkit_lightningrod.io.X is refused"),
    CASE(METADATA("caihwkit_lightning.\nX\n"), "aihwkit_lightning..X is refused"),
    CASE(METADATA("c__builtin__\neval\n"), "__builtin__.eval is refused"),
    CASE(METADATA("}"
                  ")R"),
         "what is called is no function"),
    CASE(METADATA(OBJECT ")R"), "what is called is no function"),
    CASE(METADATA(OBJECT ")\x81"), "an object is made of what is no class"),
    CASE(METADATA(OBJECT "U\001a"
                         "Ns"),
         "items are set on what is no dictionary"),
    CASE(METADATA(OBJECT "Na"), "items are appended to what is no list"),
    CASE(METADATA(CLASS "}b"), "attributes are set on what is no OrderedDict"),
    CASE(METADATA(CLASS "N\x81"), "the arguments of a call are no tuple"),
    /* the same names elsewhere */
    CASE(IN(CLASS), "IOParameters is refused outside of _metadata"),
    CASE(IN("c__builtin__\ngetattr\n"), "__builtin__.getattr is refused outside of _metadata"),
    CASE(WHOLE("}U\011_metadata" CLASS "s"), "refused outside of _metadata"),
    CASE(WHOLE("}}U\011_metadata" CLASS "ss"), "refused outside of _metadata"),
    CASE(WHOLE(ODICT ODICT "U\011_metadata" CLASS "sb"), "refused outside of _metadata"),
    CASE(WHOLE(ODICT "}(U\010metadata" CLASS "ub"), "refused outside of _metadata"),
    CASE(WHOLE(ODICT "}U\011_metadataNsb"
                     "U\001a" CLASS "s"),
         "refused outside of _metadata"),
    CASE(WHOLE(ODICT "}U\011_metadata" OBJECT "q\000sbU\001ah\000s"),
         "tensor \"a\": the value is not a tensor"),
    CASE(WHOLE(ODICT "}U\011_metadata" CLASS "q\000sbU\001ah\000)Rs"),
         "tensor \"a\": the value is not a tensor"),
    CASE(WHOLE(ODICT "}U\011_metadata" CLASS "q\000sbU\001a" REBUILD "(h\000K\000" ROW ONE
                     "\x89" ODICT "tRs"),
         "its storage is not"),
    /* globals */
    CASE(IN(OS "U\002ls\x85R"), "f: pickle, byte 6: the global os.system is refused"),
    CASE(IN("cposix\nsystem\n"), "posix.system is refused"),
    CASE(IN("cbuiltins\neval\n"), "builtins.eval is refused"),
    CASE(IN("cbuiltins\ngetattr\n"), "builtins.getattr is refused"),
    CASE(IN("cnumpy.core.multiarray\n_reconstruct\n"), "numpy.core.multiarray._reconstruct"),
    CASE(IN("ctorch\nload\n"), "torch.load is refused"),
    CASE(IN("ctorch.cuda\nFloatStorage\n"), "torch.cuda.FloatStorage is refused"),
    CASE(IN("ctorch\nFloatStorage2\n"), "torch.FloatStorage2 is refused"),
    CASE(IN("ctorch\nFloat\n"), "torch.Float is refused"),
    CASE(IN("ccollections\nOrderedDict \n"), "collections.OrderedDict  is refused"),
    CASE(IN("ccollections\r\nOrderedDict\n"), "not printable ASCII"),
    CASE(IN("c\xd0\xbe\ns\n"), "not printable ASCII"),
    CASE(IN("c\n\n"), "not printable ASCII"),
    CASE("\x80\002cos", "ends inside of an opcode"),
    CASE("\x80\002cos\nsystem", "ends inside of an opcode"),
    /* calls */
    CASE(IN("ctorch\nFloatStorage\n)R"), "torch.FloatStorage is called"),
    CASE(IN("U\004evil)R"), "what is called is no function"),
    CASE(IN("})R"), "what is called is no function"),
    CASE(IN(GOOD ")R"), "what is called is no function"),
    CASE(IN("ccollections\nOrderedDict\nNR"), "the arguments of a call are no tuple"),
    CASE(IN("ccollections\nOrderedDict\n]\x85R"), "an OrderedDict is made with arguments"),
    CASE(IN("ccollections\nOrderedDict\n)\x81"), "an object is made of what is no class"),
    CASE(WHOLE("}}b"), "attributes are set on what is no OrderedDict"),
    CASE(IN(GOOD "}b"), "attributes are set on what is no OrderedDict"),
    CASE(WITH_STATE("N"), "the attributes of an OrderedDict are no dictionary"),
    CASE(WITH_STATE(ODICT "}\x86"), "the attributes of an OrderedDict are no dictionary"),
    /* storages */
    CASE(IN(TENSOR("NQ", "K\000", ROW, ONE)), "a persistent id is no tuple"),
    CASE(IN(TENSOR("U\0010Q", "K\000", ROW, ONE)), "a persistent id is no tuple"),
    CASE(IN(TENSOR("N", "K\000", ROW, ONE)), "its storage is not (\"storage\","),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "U\0010", "K\006"), "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "U\0010", "") "Q", "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "U\0010", "K\006N") "Q", "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR("(U\007storaghctorch\nFloatStorage\nU\0010U\003cpuK\006tQ", "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR(ID("ctorch\nSize\n", "U\0010", "K\006") "Q", "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR(ID("U\014FloatStorage", "U\0010", "K\006") "Q", "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR("(U\007storagectorch\nFloatStorage\nU\0010K\000K\006tQ", "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR(STORAGE("FloatStorage", "0", MINUS_ONE), "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR(STORAGE("FloatStorage", "0", "G@\030\0\0\0\0\0\0"), "K\000", ROW, ONE)),
         "its storage is not"),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "K\000", "K\006") "Q", "K\000", ROW, ONE)),
         "the key of its storage is not a number"),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "U\011../data/0", "K\006") "Q", "K\000", ROW, ONE)),
         "the key of its storage is not a number"),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "U\000", "K\006") "Q", "K\000", ROW, ONE)),
         "the key of its storage is not a number"),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "U\0020\000", "K\006") "Q", "K\000", ROW, ONE)),
         "the key of its storage is not a number"),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "U\025000000000000000000000", "K\006") "Q", "K\000",
                   ROW, ONE)),
         "the key of its storage is not a number"),
    CASE(IN(TENSOR(ID("ctorch\nFloatStorage\n", "U\00200", "K\006") "Q", "K\000", ROW, ONE)),
         "its storage data/00 is missing"),
    CASE(IN(TENSOR(STORAGE("FloatStorage", "7", "K\006"), "K\000", ROW, ONE)),
         "its storage data/7 is missing"),
    CASE(IN(TENSOR(STORAGE("FloatStorage", "0", "K\007"), "K\000", ROW, ONE)),
         "data/0 has 24 bytes, not 7 elements of F32"),
    CASE(IN(TENSOR(STORAGE("FloatStorage", "0", "K\005"), "K\000", ROW, ONE)), "not 5 elements"),
    CASE(IN(TENSOR(STORAGE("HalfStorage", "0", "K\006"), "K\000", ROW, ONE)), "not 6 elements"),
    CASE(IN(TENSOR(STORAGE("FloatStorage", "0", HUGE_NUMBER), "K\000", ROW, ONE)),
         "not 9223372036854775807 elements"),
    CASE(IN(TENSOR(STORAGE("FloatStorage", "0", LONG8("\006\0\0\0\0\0\0\100")), "K\000", ROW, ONE)),
         "not 4611686018427387910 elements"),
    /* tensors */
    CASE(IN(REBUILD "(" SIX "K\000" ROW ONE "\x89tR"), "it is rebuilt from wrong arguments"),
    CASE(IN(REBUILD "(" SIX "K\000" ROW ONE "\x89" ODICT "}tR"), "from wrong arguments"),
    CASE(IN(REBUILD "(" SIX "K\000" ROW ONE "K\000" ODICT "tR"), "from wrong arguments"),
    CASE(IN(REBUILD "(" SIX "K\000" ROW ONE "\x89}tR"), "from wrong arguments"),
    CASE(IN(REBUILD ")R"), "from wrong arguments"),
    CASE(IN(PARAMETER(PARAMETER(GOOD))), "from wrong arguments"),
    CASE(IN(PARAMETER("N")), "from wrong arguments"),
    CASE(IN("ctorch._utils\n_rebuild_parameter\n" GOOD "\x85R"), "from wrong arguments"),
    CASE(IN("ctorch\nSize\n)\x85R"), "from wrong arguments"),
    CASE(IN(REBUILD), "the value is not a tensor"),
    CASE(IN(SIX), "the value is not a tensor"),
    CASE(LAYOUT("N", ROW, ONE), "its offset is not an integer"),
    CASE(LAYOUT(MINUS_ONE, ROW, ONE), "its offset is not an integer"),
    CASE(LAYOUT("K\001", ROW, ONE), "it reaches beyond its storage of 6 elements"),
    CASE(LAYOUT("K\007", "K\000\x85", ONE), "it reaches beyond its storage"),
    CASE(LAYOUT(HUGE_NUMBER, ROW, ONE), "it reaches beyond its storage"),
    CASE(LAYOUT("K\006", ")", ")"), "it reaches beyond its storage"),
    CASE(LAYOUT("K\000", "K\007\x85", ONE), "it reaches beyond its storage"),
    CASE(LAYOUT("K\000", "K\003\x85", "K\003\x85"), "it reaches beyond its storage"),
    CASE(LAYOUT("K\000", "K\002K\003\x86", "K\004K\001\x86"), "it reaches beyond its storage"),
    CASE(LAYOUT("K\000", "K\002\x85", HUGE_NUMBER "\x85"), "it reaches beyond its storage"),
    CASE(LAYOUT("K\000", "K\003\x85", HUGE_NUMBER "\x85"), "it reaches beyond its storage"),
    CASE(LAYOUT("K\000", "K\002K\002\x86", HUGE_NUMBER HUGE_NUMBER "\x86"),
         "it reaches beyond its storage"),
    CASE(LAYOUT("K\000", HUGE_NUMBER "K\004\x86", "K\000K\000\x86"),
         "it reaches beyond its storage"),
    CASE(LAYOUT("K\000", "K\007\x85", "K\000\x85"), "it repeats elements of its storage"),
    CASE(LAYOUT("K\000", HUGE_NUMBER "\x85", "K\000\x85"), "it repeats elements of its storage"),
    CASE(LAYOUT("K\000", MINUS_ONE "\x85", ONE), "sizes and strides must be integers of 0"),
    CASE(LAYOUT("K\005", ROW, MINUS_ONE "\x85"), "sizes and strides must be integers of 0"),
    CASE(LAYOUT("K\000", "N\x85", ONE), "sizes and strides must be integers of 0"),
    CASE(LAYOUT("K\000", "]", ONE), "its sizes and strides are not two tuples"),
    CASE(LAYOUT("K\000", ROW, "K\001"), "its sizes and strides are not two tuples"),
    CASE(LAYOUT("K\000", ROW, "K\001K\001\x86"), "its sizes and strides are not two tuples"),
    CASE(LAYOUT("K\000", "ctorch\nSize\n" ROW ROW "\x86R", ONE), "are not two tuples"),
    CASE(LAYOUT("K\000", "(K\001K\001K\001K\001K\001K\001K\001K\001K\001t",
                "(K\001K\001K\001K\001K\001K\001K\001K\001K\001t"),
         "more than 8 dimensions"),
    /* the state dict */
    CASE(WHOLE("N"), "holds no dictionary of tensors"),
    CASE(WHOLE("]"), "holds no dictionary of tensors"),
    CASE(WHOLE(GOOD), "holds no dictionary of tensors"),
    CASE(IN("K\003"), "tensor \"a\": the value is not a tensor"),
    CASE(IN("N"), "the value is not a tensor"),
    CASE(IN("]"), "the value is not a tensor"),
    CASE(IN("}"), "\"a\" is a dictionary, so the file wraps its state dict"),
    CASE(IN("}U\001b" GOOD "s"), "save the state dict itself"),
    CASE(WHOLE("}q\000U\001ah\000s"), "\"a\" is a dictionary"),
    CASE(WHOLE("}U\005epochK\003sU\005model}s"), "\"model\" is a dictionary"),
    CASE(WHOLE("}K\001" GOOD "s"), "a key of the state dict is not a name"),
    CASE(WHOLE("}U\000" GOOD "s"), "a key of the state dict is not a name"),
    CASE(WHOLE("}U\002a\n" GOOD "s"), "a key of the state dict is not a name"),
    CASE(WHOLE("}U\002a\000" GOOD "s"), "a key of the state dict is not a name"),
    CASE(WHOLE("}U\002\xc3\xa4" GOOD "s"), "a key of the state dict is not a name"),
    CASE(WHOLE("}U\001\xff" GOOD "s"), "a key of the state dict is not a name"),
    CASE(WHOLE("}(U\001a" GOOD "U\001b" GOOD "U\001a" GOOD "u"), "tensor \"a\" is there twice"),
    /* items */
    CASE(WHOLE("]U\001aNs"), "items are set on what is no dictionary"),
    CASE(WHOLE(")U\001aNs"), "items are set on what is no dictionary"),
    CASE(WHOLE(SIX "U\001aNs"), "items are set on what is no dictionary"),
    CASE(WHOLE("](U\001aNu"), "items are set on what is no dictionary"),
    CASE(WHOLE("(U\001aNu"), "items are set on what is no dictionary"),
    CASE(WHOLE("}Na"), "items are appended to what is no list"),
    CASE(WHOLE("}(Ne"), "items are appended to what is no list"),
    CASE(WHOLE("(Ne"), "items are appended to what is no list"),
    CASE(WHOLE("}(U\001au"), "a key has no value"),
    CASE(WHOLE("}(N"), "2 values and 1 marks are left"),
    CASE(WHOLE("}}"), "2 values and 0 marks are left"),
    CASE(WHOLE(""), "0 values and 0 marks are left"),
    CASE(WHOLE("}") ".", "bytes follow the end of the pickle"),
    CASE("\x80\002}", "the pickle has no end"),
    /* the stack and its marks */
    CASE(WHOLE("t"), "no mark is set"),
    CASE(WHOLE("}u"), "no mark is set"),
    CASE(WHOLE("]e"), "no mark is set"),
    CASE(WHOLE("K\001\x86"), "the stack has no value to take"),
    CASE(WHOLE("K\001(K\001\x86"), "the stack has no value to take"),
    CASE(WHOLE("}(U\001aNs"), "items are set on what is no dictionary"),
    CASE(WHOLE("}U\001a(Ns"), "the stack has no value to take"),
    CASE(WHOLE(ODICT "(}b"), "the stack has no value to take"),
    CASE(WHOLE("ccollections\nOrderedDict\n()R"), "the stack has no value to take"),
    CASE(WHOLE("Q"), "the stack has no value to take"),
    CASE(WHOLE("R"), "the stack has no value to take"),
    CASE(WHOLE("\x81"), "the stack has no value to take"),
    CASE(WHOLE("b"), "the stack has no value to take"),
    /* the memo */
    CASE(WHOLE("h\000"), "memo entry 0 is read, there are 0"),
    CASE(WHOLE("}q\000j\001\000\000\000"), "memo entry 1 is read, there are 1"),
    CASE(WHOLE("}j\xff\xff\xff\xff"), "memo entry 4294967295 is read"),
    CASE(WHOLE("}q\001"), "memo entry 1 is written, the next one is 0"),
    CASE(WHOLE("}q\000q\000"), "memo entry 0 is written, the next one is 1"),
    CASE(WHOLE("}r\xff\xff\xff\xff"), "memo entry 4294967295 is written"),
    CASE(WHOLE("q\000"), "the stack has no value to take"),
    CASE(WHOLE("}(q\000"), "the stack has no value to take"),
    /* lengths */
    CASE("", "ends inside of an opcode"),
    CASE("\x80", "ends inside of an opcode"),
    CASE("}.", "it does not begin with its protocol"),
    CASE("\x80\003}.", "pickle protocol 3; torch.save writes 2"),
    CASE("\x80\002X\xff\xff\xff\xff"
         "a",
         "ends inside of an opcode"),
    CASE("\x80\002X\001\000\000\000", "ends inside of an opcode"),
    CASE("\x80\002U\377abc", "ends inside of an opcode"),
    CASE("\x80\002\x8a\011\001\001\001\001\001\001\001\001\001.", "an integer of 9 bytes"),
    CASE("\x80\002\x8a\004\001", "ends inside of an opcode"),
    CASE("\x80\002G\000\000", "ends inside of an opcode"),
};

START_TEST(pickle)
{
    const struct pickle_case *c = &pickle_cases[_i];
    aim_error err = {0};
    parse_pickle(c->pickle, c->size, &err);
    check_outcome(&err, c->error);
}
END_TEST

/* Behind a whole dict each byte is an opcode of the list, or refused by number. */
START_TEST(every_other_opcode_is_refused)
{
    static const char known[] = "(.NKMJGUX])}tsuaeqrhjcRbQ\x81\x85\x86\x87\x88\x89\x8a";
    for (int opcode = 0; opcode < 256; opcode++) {
        char bytes[] = "\x80\002}?", number[40];
        bytes[3] = (char)opcode;
        aim_error err = {0};
        parse_pickle(bytes, 4, &err);
        snprintf(number, sizeof number, "byte 3: opcode 0x%02x is none", opcode);
        bool refused = strstr(err.text, number) != NULL;
        ck_assert_msg(refused == !memchr(known, opcode, sizeof known - 1), "0x%02x", opcode);
    }
}
END_TEST

/* No piece of a good pickle is one. */
START_TEST(every_truncated_pickle_is_refused)
{
    static const char good[] = METADATA(OBJECT "}U\006in_resK\xfe"
                                               "sb");
    static const char tensor[] = IN(PARAMETER(GOOD));
    aim_error err = {0};
    for (size_t n = 0; n < sizeof good - 1; n++, err = (aim_error){0})
        ck_assert_int_eq(parse_pickle(good, n, &err), AIM_EFORMAT);
    for (size_t n = 0; n < sizeof tensor - 1; n++, err = (aim_error){0})
        ck_assert_int_eq(parse_pickle(tensor, n, &err), AIM_EFORMAT);
}
END_TEST

/* What a small pickle could blow up to. */
static const struct limit_case {
    const char *before, *unit; /* unit is repeated */
    size_t times;
    const char *error;
} limit_cases[] = {
    {"", "(", 100001, "more than 100000 marks"},
    {"", "}", 100001, "more than 100000 values on the stack"},
    {"", "]", 99999, "99999 values and 0 marks are left"},
    {"", "(]", 99999, "99999 values and 99999 marks are left"},
    {"](NNNNNNNNt", "\x85", 1999991, NULL},
    {")", "\x85", 2000001, "more than 2000000 objects"},
    {"}", "NNs", 2000001, "more than 2000000 objects"},
};

START_TEST(limit)
{
    const struct limit_case *c = &limit_cases[_i];
    size_t before = strlen(c->before), unit = strlen(c->unit);
    size_t size = 2 + before + c->times * unit + 1;
    char *bytes = malloc(size), *p = bytes + 2 + before;
    memcpy(bytes, "\x80\002", 2);
    memcpy(bytes + 2, c->before, before);
    for (size_t i = 0; i < c->times; i++, p += unit)
        memcpy(p, c->unit, unit);
    *p = '.';
    aim_error err = {0};
    parse_pickle(bytes, size, &err);
    check_outcome(&err, c->error ? c->error : "2 values and 0 marks are left");
    free(bytes);
}
END_TEST

START_TEST(memo_has_an_end)
{
    enum { ENTRIES = 1000001 };
    unsigned char *bytes = malloc(3 + 5 * (size_t)ENTRIES), *p = bytes + 3;
    memcpy(bytes, "\x80\002}", 3);
    for (size_t i = 0; i < ENTRIES; i++, p += 5) {
        p[0] = 'r';
        archive_put(p + 1, i, 4);
    }
    aim_error err = {0};
    parse_pickle(bytes, (size_t)(p - bytes), &err);
    check_outcome(&err, "more than 1000000 memo entries");
    free(bytes);
}
END_TEST

START_TEST(long_names_are_refused)
{
    for (unsigned length = 1000; length <= 1001; length++) {
        char bytes[2000];
        size_t n = 0;
        static const char rest[] = GOOD "s.";
        memcpy(bytes, "\x80\002}X", 4);
        archive_put((unsigned char *)bytes + 4, length, 4);
        memset(bytes + 8, 'a', length);
        n = 8 + length;
        memcpy(bytes + n, rest, sizeof rest - 1);
        aim_error err = {0};
        parse_pickle(bytes, n + sizeof rest - 1, &err);
        check_outcome(&err, length > 1000 ? "not a name of 1 to 1000" : NULL);
    }
}
END_TEST

/* ---- archives -------------------------------------------------------------- */

static const char good_pickle[] = IN(GOOD);

enum record { LOCAL, ENTRY, END64, LOCATOR, END, PICKLE_DATA };

static size_t record_at(const struct archive *a, enum record record, size_t member)
{
    switch (record) {
    case LOCAL:
        return a->local[member];
    case ENTRY:
        return a->entry[member];
    case END64:
        return a->end64;
    case LOCATOR:
        return a->locator;
    case END:
        return a->end;
    default:
        return a->local[0] + LOCAL_RECORD + strlen("r/data.pkl");
    }
}

/* One field of a good archive is overwritten. Members: 0 data.pkl, 1 byteorder,
 * 2 and 3 storages. */
static const struct patch_case {
    enum record record;
    size_t member, offset, width;
    uint64_t value;
    const char *error;
} patch_cases[] = {
    {LOCAL, 0, 10, 2, 1234, NULL}, /* a time */
    /* the end records */
    {END, 0, 0, 4, 0, "no end record closes it"},
    {END, 0, 4, 2, 1, "it spans several disks"},
    {END, 0, 6, 2, 1, "it spans several disks"},
    {END, 0, 8, 2, 3, "it spans several disks"},
    {END, 0, 10, 2, 3, "the 64-bit end record contradicts the end record"},
    {END, 0, 12, 4, 1, "the 64-bit end record contradicts the end record"},
    {END, 0, 16, 4, 1, "the 64-bit end record contradicts the end record"},
    {END, 0, 12, 4, 0xFFFFFFFF, NULL},
    {END, 0, 16, 4, 0xFFFFFFFF, NULL},
    {END, 0, 20, 2, 1, "no end record closes it"},
    {LOCATOR, 0, 0, 4, 0, "the directory does not end where the end record begins"},
    {LOCATOR, 0, 4, 4, 1, "it spans several disks"},
    {LOCATOR, 0, 8, 8, 0, "the 64-bit end record is not where its locator says"},
    {LOCATOR, 0, 8, 8, UINT64_MAX, "the 64-bit end record is not where its locator says"},
    {LOCATOR, 0, 16, 4, 2, "it spans several disks"},
    {END64, 0, 0, 4, 0, "the 64-bit end record is malformed"},
    {END64, 0, 4, 8, UINT64_MAX, "the 64-bit end record is malformed"},
    {END64, 0, 16, 4, 1, "it spans several disks"},
    {END64, 0, 24, 8, 5, "it spans several disks"},
    {END64, 0, 32, 8, UINT64_MAX, "it spans several disks"},
    {END64, 0, 40, 8, 46, "contradicts the end record"},
    {END64, 0, 40, 8, UINT64_MAX, "contradicts the end record"},
    {END64, 0, 48, 8, 0, "contradicts the end record"},
    {END64, 0, 48, 8, UINT64_MAX, "contradicts the end record"},
    /* entries of the directory */
    {ENTRY, 0, 0, 4, 0, "the directory is malformed"},
    {ENTRY, 3, 0, 1, 0, "the directory is malformed"},
    {ENTRY, 2, 8, 2, 0x0801, "member \"r/data/0\": is encrypted"},
    {ENTRY, 2, 8, 2, 0x2800, "has unknown flags"},
    {ENTRY, 2, 8, 2, 0x0840, "has unknown flags"},
    {ENTRY, 2, 8, 2, 0x0808, "the local header has another method or other flags"},
    {ENTRY, 2, 10, 2, 8, "member \"r/data/0\": is compressed"},
    {ENTRY, 2, 10, 2, 99, "is compressed"},
    {ENTRY, 0, 16, 4, 0, "the checksum of data.pkl is wrong"},
    {ENTRY, 2, 16, 4, 0, NULL}, /* checksums of storages are not looked at */
    {PICKLE_DATA, 0, 3, 1, 'x', "the checksum of data.pkl is wrong"},
    {ENTRY, 2, 20, 4, 23, "is stored, but has two sizes"},
    {ENTRY, 2, 24, 4, 25, "is stored, but has two sizes"},
    {ENTRY, 2, 20, 8, UINT64_MAX, "a 64-bit field is missing"},
    {ENTRY, 2, 20, 8, UINT64_C(0x1900000019), "the local header has another size"},
    {ENTRY, 2, 20, 8, UINT64_C(0xF0000000F0), "reaches into the directory"},
    {ENTRY, 2, 20, 8, UINT64_C(0xFFFFFFF0FFFFFFF0), "reaches into the directory"},
    {ENTRY, 0, 28, 2, 0, "the name of a member is not printable ASCII"},
    {ENTRY, 0, 28, 2, 9, "the local header has another name"},
    {ENTRY, 3, 28, 2, 9, "the directory is malformed"},
    {ENTRY, 3, 28, 2, 7, "the local header has another name"},
    {ENTRY, 0, 30, 2, 65535, "the directory is malformed"},
    {ENTRY, 0, 32, 2, 65535, "the directory is malformed"},
    {ENTRY, 0, 34, 2, 1, "lies on another disk"},
    {ENTRY, 0, 42, 4, 1, "there is no local header where the directory says"},
    {ENTRY, 1, 42, 4, 0, "the local header has another name"},
    {ENTRY, 0, 42, 4, 0x7FFFFFFF, "the local header lies outside of the archive"},
    {ENTRY, 0, 42, 4, 0xFFFFFFFE, "the local header lies outside of the archive"},
    {ENTRY, 0, 42, 4, 0xFFFFFFFF, "a 64-bit field is missing"},
    {ENTRY, 0, 46, 1, 0xC3, "the name of a member is not printable ASCII"},
    {ENTRY, 0, 46, 1, 0, "the name of a member is not printable ASCII"},
    {ENTRY, 2, 53, 1, '1', "the local header has another name"},
    /* local headers */
    {LOCAL, 2, 0, 4, 0, "there is no local header where the directory says"},
    {LOCAL, 2, 6, 2, 0x0801, "the local header has another method or other flags"},
    {LOCAL, 2, 8, 2, 8, "the local header has another method or other flags"},
    {LOCAL, 2, 18, 4, 23, "the local header has another size"},
    {LOCAL, 2, 22, 4, 0, "the local header has another size"},
    {LOCAL, 2, 18, 8, UINT64_MAX, NULL},
    {LOCAL, 2, 26, 2, 7, "the local header has another name"},
    {LOCAL, 2, 28, 2, 65535, "reaches into the directory"},
    {LOCAL, 2, 28, 2, 1, "overlaps another member"},
    {LOCAL, 3, 28, 2, 1, "reaches into the directory"},
    {LOCAL, 2, 37, 1, '1', "the local header has another name"},
    {LOCAL, 0, 0, 1, 'p', "not a zip archive, as torch.save writes it"},
};

/* The same where sizes and offset stand in an extra field. That of member 2 is at
 * 54: kind, length, size, packed size, offset. */
static const struct patch_case wide_patch_cases[] = {
    {LOCAL, 0, 10, 2, 1234, NULL},
    {ENTRY, 2, 20, 8, UINT64_C(0x1800000018), "no local header where the directory says"},
    {ENTRY, 2, 54, 2, 2, "a 64-bit field is missing"},
    {ENTRY, 2, 56, 2, 0, "a 64-bit field is missing"},
    {ENTRY, 2, 56, 2, 16, "a 64-bit field is missing"},
    {ENTRY, 2, 56, 2, 25, "the extra fields are malformed"},
    {ENTRY, 2, 58, 8, UINT64_MAX, "is stored, but has two sizes"},
    {ENTRY, 2, 66, 8, UINT64_C(1) << 32 | 24, "is stored, but has two sizes"},
    {ENTRY, 2, 74, 8, UINT64_MAX, "the local header lies outside of the archive"},
    {ENTRY, 2, 74, 8, UINT64_MAX - 29, "the local header lies outside of the archive"},
    {ENTRY, 2, 74, 8, 0, "the local header has another name"},
};

static void check_patch(const struct patch_case *c, bool wide)
{
    struct archive a = archive_around(good_pickle, sizeof good_pickle - 1, wide);
    size_t at = record_at(&a, c->record, c->member) + c->offset;
    archive_put(a.data + at, c->value, c->width);
    aim_error err = {0};
    parse(a.data, a.size, &err);
    check_outcome(&err, c->error);
    free(a.data);
}

START_TEST(patched_field)
{
    check_patch(&patch_cases[_i], false);
}
END_TEST

START_TEST(patched_wide_field)
{
    check_patch(&wide_patch_cases[_i], true);
}
END_TEST

/* Lies that need two fields to agree. */
START_TEST(patched_pairs)
{
    struct archive a = archive_around(good_pickle, sizeof good_pickle - 1, true);
    aim_error err = {0};
    archive_put(a.data + a.entry[2] + 58, UINT64_MAX, 8); /* both sizes */
    archive_put(a.data + a.entry[2] + 66, UINT64_MAX, 8);
    parse(a.data, a.size, &err);
    check_outcome(&err, "member \"r/data/0\": reaches into the directory");
    free(a.data);

    for (size_t n = 3; n <= 5; n += 2) { /* four members are there */
        a = archive_around(good_pickle, sizeof good_pickle - 1, false);
        err = (aim_error){0};
        archive_put(a.data + a.end64 + 24, n, 8);
        archive_put(a.data + a.end64 + 32, n, 8);
        archive_put(a.data + a.end + 8, n, 2);
        archive_put(a.data + a.end + 10, n, 2);
        parse(a.data, a.size, &err);
        check_outcome(&err, n == 3 ? "has more entries than the end record says"
                                   : "more members than are read or fit its directory");
        free(a.data);
    }

    a = archive_around(good_pickle, sizeof good_pickle - 1, false);
    err = (aim_error){0};
    archive_put(a.data + a.end64 + 32, UINT64_MAX, 8); /* all counts */
    archive_put(a.data + a.end64 + 24, UINT64_MAX, 8);
    archive_put(a.data + a.end + 8, UINT32_MAX, 4);
    parse(a.data, a.size, &err);
    check_outcome(&err, "more members than are read");
    free(a.data);
}
END_TEST

#define FILE_OF(text) text, sizeof(text) - 1
#define GOOD_MEMBER                                                                                \
    {                                                                                              \
        "r/data.pkl", FILE_OF(IN(GOOD))                                                            \
    }
#define SIX_FLOATS "\0\0\0\0\1\1\1\1\2\2\2\2\3\3\3\3\4\4\4\4\5\5\5\5"
#define STORAGE_MEMBER                                                                             \
    {                                                                                              \
        "r/data/0", FILE_OF(SIX_FLOATS)                                                            \
    }

static const struct members_case {
    struct archive_member members[ARCHIVE_MEMBERS];
    const char *error;
} members_cases[] = {
    {{GOOD_MEMBER, STORAGE_MEMBER}, NULL},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"r/byteorder", FILE_OF("little")}}, NULL},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"r/.data/serialization_id", FILE_OF("1")}}, NULL},
    {{STORAGE_MEMBER, {"r/version", FILE_OF("3\n")}, GOOD_MEMBER}, NULL},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"r/byteorder", FILE_OF("big")}}, "of another byte order"},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"r/byteorder", FILE_OF("little ")}}, "of another byte order"},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"r/byteorder", FILE_OF("")}}, "of another byte order"},
    {{STORAGE_MEMBER}, "f: a zip archive without data.pkl"},
    {{{"data.pkl", FILE_OF(IN(GOOD))}, STORAGE_MEMBER}, "a zip archive without data.pkl"},
    {{{"/data.pkl", FILE_OF(IN(GOOD))}, STORAGE_MEMBER}, "a zip archive without data.pkl"},
    {{{"r/s/data.pkl", FILE_OF(IN(GOOD))}, STORAGE_MEMBER}, "a zip archive without data.pkl"},
    {{{"r/data.pk", FILE_OF(IN(GOOD))}, STORAGE_MEMBER}, "a zip archive without data.pkl"},
    {{{NULL, NULL, 0}}, "not a zip archive, as torch.save writes it"},
    {{GOOD_MEMBER, STORAGE_MEMBER, GOOD_MEMBER}, "member \"r/data.pkl\": is there twice"},
    {{GOOD_MEMBER, STORAGE_MEMBER, STORAGE_MEMBER}, "member \"r/data/0\": is there twice"},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"s/data.pkl", FILE_OF(IN(GOOD))}}, "more than one data.pkl"},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"s/data/0", FILE_OF("")}}, "\"s/data/0\" lies outside"},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"rs", FILE_OF("")}}, "\"rs\" lies outside of the folder"},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"r/", FILE_OF("")}}, NULL},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"../r/data/0", FILE_OF("")}}, "lies outside of the folder"},
    {{GOOD_MEMBER, STORAGE_MEMBER, {"r/\n", FILE_OF("")}}, "is not printable ASCII"},
    {{GOOD_MEMBER, {"r/data/../data/0", FILE_OF(SIX_FLOATS)}}, "storage data/0 is missing"},
    {{GOOD_MEMBER, {"r/data/0", FILE_OF("")}}, "data/0 has 0 bytes, not 6 elements"},
    {{GOOD_MEMBER, {"r/data/0", FILE_OF(SIX_FLOATS "6")}}, "data/0 has 25 bytes"},
    {{{"r/data.pkl", FILE_OF("")}}, "the pickle ends inside of an opcode"},
};

START_TEST(members)
{
    const struct members_case *c = &members_cases[_i];
    size_t n = 0;
    while (n < ARCHIVE_MEMBERS && c->members[n].name)
        n++;
    struct archive a = archive_build(c->members, n, false);
    aim_error err = {0};
    parse(a.data, a.size, &err);
    check_outcome(&err, c->error);
    free(a.data);
}
END_TEST

/* Two entries of the directory for one stretch of the file. */
START_TEST(shared_bytes_are_refused)
{
    static const struct archive_member twins[] = {
        GOOD_MEMBER, STORAGE_MEMBER, {"r/data/1", FILE_OF("inner")}};
    struct archive a = archive_build(twins, COUNT(twins), false);
    /* data/0 now reaches to the end of data/1. */
    size_t size = a.entry[0] - a.local[1] - LOCAL_RECORD - strlen("r/data/0");
    for (size_t i = 0; i < 2; i++) {
        archive_put(a.data + a.local[1] + 18 + 4 * i, size, 4);
        archive_put(a.data + a.entry[1] + 20 + 4 * i, size, 4);
    }
    aim_error err = {0};
    parse(a.data, a.size, &err);
    check_outcome(&err, "member \"r/data/1\": overlaps another member");
    free(a.data);
}
END_TEST

START_TEST(every_truncated_archive_is_refused)
{
    struct archive a = archive_around(good_pickle, sizeof good_pickle - 1, false);
    for (size_t n = 0; n < a.size; n++) {
        aim_error err = {0};
        ck_assert_int_eq(parse(a.data, n, &err), AIM_EFORMAT);
        check_outcome(&err, n < 4 ? "not a zip archive" : "no end record closes it");
    }
    free(a.data);
}
END_TEST

/* A comment is legal; bytes that no comment's length tells are not. */
START_TEST(bytes_behind_the_archive)
{
    struct archive a = archive_around(good_pickle, sizeof good_pickle - 1, false);
    unsigned char *longer = malloc(a.size + 70000);
    memcpy(longer, a.data, a.size);
    memset(longer + a.size, 'c', 70000);
    aim_error err = {0};
    parse(longer, a.size + 1, &err);
    check_outcome(&err, "no end record closes it");
    archive_put(longer + a.end + 20, 65535, 2);
    err = (aim_error){0};
    parse(longer, a.size + 65535, &err);
    check_outcome(&err, NULL);
    err = (aim_error){0};
    parse(longer, a.size + 65536, &err);
    check_outcome(&err, "no end record closes it");
    free(longer);
    free(a.data);
}
END_TEST

START_TEST(other_kinds_of_files)
{
    char tar[512] = "pytorch";
    memcpy(tar + 257, "ustar", 5);
    static const char old[] = "\x80\002\x8a\012l\xfc\x9c\x46\xf9\x20j\xa8P\x19.";
    const struct {
        const char *bytes;
        size_t size;
        enum aim_code code;
        const char *error;
    } cases[] = {
        {"", 0, AIM_EFORMAT, "f: not a zip archive, as torch.save writes it"},
        {"PK", 2, AIM_EFORMAT, "not a zip archive"},
        {"GGUF", 4, AIM_EFORMAT, "not a zip archive"},
        {old, sizeof old - 1, AIM_EUNSUPPORTED, "a bare pickle, which old versions of torch wrote"},
        {"\x80\004\x95", 3, AIM_EUNSUPPORTED, "convert the checkpoint to safetensors"},
        {tar, sizeof tar, AIM_EUNSUPPORTED, "a tar file, which old versions of torch wrote"},
        {tar, 261, AIM_EFORMAT, "not a zip archive"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        aim_error err = {0};
        ck_assert_int_eq(parse((const unsigned char *)cases[i].bytes, cases[i].size, &err),
                         cases[i].code);
        check_outcome(&err, cases[i].error);
    }
}
END_TEST

START_TEST(parser_survives_every_failed_allocation)
{
    static const char whole[] = METADATA("(" OBJECT "q\000}U\006in_resK\xfe"
                                         "sbt");
    for (int i = 0; i < 2; i++) {
        struct archive a = i ? archive_around(whole, sizeof whole - 1, false)
                             : archive_around(good_pickle, sizeof good_pickle - 1, true);
        int code = AIM_ENOMEM;
        for (long n = 0; code; n++) {
            aim_error err = {0};
            aim_alloc_fail_after(n);
            code = parse(a.data, a.size, &err);
            aim_alloc_fail_after(-1);
            ck_assert_msg(code == AIM_OK || code == AIM_ENOMEM, "%s", err.text);
        }
        free(a.data);
    }
}
END_TEST

static Suite *torch_hostile_suite(void)
{
    Suite *s = suite_create("torch_hostile");

    TCase *pickles = tcase_create("pickles");
    tcase_add_loop_test(pickles, pickle, 0, COUNT(pickle_cases));
    tcase_add_test(pickles, every_other_opcode_is_refused);
    tcase_add_test(pickles, every_truncated_pickle_is_refused);
    tcase_add_loop_test(pickles, limit, 0, COUNT(limit_cases));
    tcase_add_test(pickles, memo_has_an_end);
    tcase_add_test(pickles, long_names_are_refused);
    suite_add_tcase(s, pickles);

    TCase *archives = tcase_create("archives");
    tcase_add_loop_test(archives, patched_field, 0, COUNT(patch_cases));
    tcase_add_loop_test(archives, patched_wide_field, 0, COUNT(wide_patch_cases));
    tcase_add_test(archives, patched_pairs);
    tcase_add_loop_test(archives, members, 0, COUNT(members_cases));
    tcase_add_test(archives, shared_bytes_are_refused);
    tcase_add_test(archives, every_truncated_archive_is_refused);
    tcase_add_test(archives, bytes_behind_the_archive);
    tcase_add_test(archives, other_kinds_of_files);
    tcase_add_test(archives, parser_survives_every_failed_allocation);
    suite_add_tcase(s, archives);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(torch_hostile_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
