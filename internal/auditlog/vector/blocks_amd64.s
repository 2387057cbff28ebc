//go:build !purego

#include "textflag.h"

// MASK sets the bit in r of each byte of the 64 in Y0 and Y1 that is like those of y.
#define MASK(y, r, scratch) \
	VPCMPEQB  Y0, y, Y2       \
	VPCMPEQB  Y1, y, Y3       \
	VPMOVMSKB Y2, r           \
	VPMOVMSKB Y3, scratch     \
	SHLQ      $32, scratch    \
	ORQ       scratch, r

// BYTES fills y with the byte c.
#define BYTES(c, x, y) \
	MOVL         $c, AX \
	VMOVD        AX, x  \
	VPBROADCASTB x, y

// func nestedBlocks(b []byte, s *state) int
//
// SI the next block, DX where the blocks end, DI the state;
// R8 depth, R9 text, R10 escaped;
// Y8 quotation marks, Y9 backslashes, Y10 the bit in which [ and {, ] and } differ, Y11 {, Y12 },
// X13 all ones, by which PCLMULQDQ sets each bit to the parity of those up to it.
TEXT ·nestedBlocks(SB), NOSPLIT, $0-40
	MOVQ b_base+0(FP), SI
	MOVQ b_len+8(FP), DX
	MOVQ s+24(FP), DI
	ANDQ $~63, DX
	ADDQ SI, DX
	MOVQ 0(DI), R8
	MOVQ 8(DI), R9
	MOVQ 16(DI), R10
	BYTES(0x22, X8, Y8)
	BYTES(0x5c, X9, Y9)
	BYTES(0x20, X10, Y10)
	BYTES(0x7b, X11, Y11)
	BYTES(0x7d, X12, Y12)
	VPCMPEQB X13, X13, X13

next:
	CMPQ SI, DX
	JAE  none
	VMOVDQU 0(SI), Y0
	VMOVDQU 32(SI), Y1
	MASK(Y8, R11, AX)
	MASK(Y9, R12, AX)
	VPOR Y10, Y0, Y0
	VPOR Y10, Y1, Y1
	MASK(Y11, R13, AX)
	MASK(Y12, BX, AX)

	// Which bytes stand behind a backslash that counts.
	MOVQ R12, AX
	ORQ  R10, AX
	JZ   strings
	MOVQ R10, CX
	NOTQ CX
	ANDQ R12, CX    // backslashes that are not escaped by the block before
	MOVQ CX, AX
	ADDQ AX, AX     // what stands behind them
	MOVQ $0xaaaaaaaaaaaaaaaa, R14
	ORQ  R14, AX
	SUBQ CX, AX     // a run of them carries to its end, odd and even ones apart
	XORQ R14, AX    // escaped, and the backslashes that escape
	ORQ  R12, R10
	XORQ AX, R10    // escaped
	ANDQ R12, AX
	SHRQ $63, AX
	NOTQ R10
	ANDQ R10, R11
	MOVQ AX, R10

strings:
	VMOVQ R11, X2
	VPCLMULQDQ $0, X13, X2, X2
	VMOVQ X2, AX
	XORQ R9, AX     // inside of strings
	MOVQ AX, R9
	SARQ $63, R9
	NOTQ AX
	ANDQ AX, R13    // opens
	ANDQ AX, BX     // ends
	POPCNTQ BX, AX
	CMPQ R8, AX
	JLE  walk

step:
	POPCNTQ R13, CX
	ADDQ CX, R8
	SUBQ AX, R8
	ADDQ $64, SI
	JMP  next

walk:
	// The depth may become 0 in this block.
	MOVQ R13, CX
	ORQ  BX, CX
	MOVQ R8, R11

bracket:
	BLSIQ CX, R12   // the first bracket
	JCC   step      // there is none: BLSI sets the carry unless its source is 0
	XORQ  R12, CX
	TESTQ R12, BX
	JNZ   end
	INCQ  R11
	JMP   bracket

end:
	DECQ R11
	JNZ  bracket
	BSFQ R12, R12
	MOVQ b_base+0(FP), AX
	SUBQ AX, SI
	LEAQ 1(SI)(R12*1), AX
	MOVQ AX, ret+32(FP)
	VZEROUPPER
	RET

none:
	MOVQ R8, 0(DI)
	MOVQ R9, 8(DI)
	MOVQ R10, 16(DI)
	MOVQ $-1, ret+32(FP)
	VZEROUPPER
	RET

// func pairBlocks(text []byte, i, last int, p *Pair) (at int, mask uint64)
//
// SI the next block, R8 and R9 the gaps behind it, DX where the last block may begin;
// Y8 and Y9 the characters of A, Y10 and Y11 those of B.
TEXT ·pairBlocks(SB), NOSPLIT, $0-64
	MOVQ text_base+0(FP), SI
	MOVQ i+24(FP), AX
	MOVQ last+32(FP), DX
	MOVQ p+40(FP), DI
	LEAQ -64(SI)(DX*1), DX
	ADDQ AX, SI
	VPBROADCASTB 0(DI), Y8
	VPBROADCASTB 1(DI), Y9
	VPBROADCASTB 16(DI), Y10
	VPBROADCASTB 17(DI), Y11
	MOVQ 8(DI), R8
	MOVQ 24(DI), R9
	ADDQ SI, R8
	ADDQ SI, R9
	XORQ CX, CX
	SUBQ SI, DX

look:
	CMPQ CX, DX
	JGT  absent
	VMOVDQU  0(SI)(CX*1), Y0
	VMOVDQU  32(SI)(CX*1), Y1
	VPCMPEQB Y0, Y8, Y2
	VPCMPEQB Y1, Y8, Y3
	VPCMPEQB Y0, Y10, Y4
	VPCMPEQB Y1, Y10, Y5
	VPCMPEQB 0(R8)(CX*1), Y9, Y6
	VPCMPEQB 32(R8)(CX*1), Y9, Y7
	VPAND    Y2, Y6, Y2
	VPAND    Y3, Y7, Y3
	VPCMPEQB 0(R9)(CX*1), Y11, Y6
	VPCMPEQB 32(R9)(CX*1), Y11, Y7
	VPAND    Y4, Y6, Y4
	VPAND    Y5, Y7, Y5
	VPOR     Y2, Y4, Y2
	VPOR     Y3, Y5, Y3
	VPOR     Y2, Y3, Y4
	VPTEST   Y4, Y4
	JNZ      found
	ADDQ     $64, CX
	JMP      look

found:
	VPMOVMSKB Y2, AX
	VPMOVMSKB Y3, BX
	SHLQ      $32, BX
	ORQ       BX, AX
	ADDQ      i+24(FP), CX
	MOVQ      CX, at+48(FP)
	MOVQ      AX, mask+56(FP)
	VZEROUPPER
	RET

absent:
	ADDQ i+24(FP), CX
	MOVQ CX, at+48(FP)
	MOVQ $0, mask+56(FP)
	VZEROUPPER
	RET

// func plainBlocks(b []byte, i int) int
//
// SI the text, CX where the next block begins in it, DX where the last one may;
// Y8 quotation marks, Y9 backslashes, Y10 blanks: a signed byte below them is a control character
// or none of ASCII.
TEXT ·plainBlocks(SB), NOSPLIT, $0-40
	MOVQ b_base+0(FP), SI
	MOVQ b_len+8(FP), DX
	MOVQ i+24(FP), CX
	SUBQ $32, DX
	BYTES(0x22, X8, Y8)
	BYTES(0x5c, X9, Y9)
	BYTES(0x20, X10, Y10)

more:
	VMOVDQU   (SI)(CX*1), Y0
	VPCMPEQB  Y0, Y8, Y1
	VPCMPEQB  Y0, Y9, Y2
	VPCMPGTB  Y0, Y10, Y3
	VPOR      Y1, Y2, Y1
	VPOR      Y1, Y3, Y1
	VPMOVMSKB Y1, AX
	TESTL     AX, AX
	JNZ       stop
	ADDQ      $32, CX
	CMPQ      CX, DX
	JLE       more
	DECQ      CX // there is a byte to look at: the last of the block
	MOVQ      CX, ret+32(FP)
	VZEROUPPER
	RET

stop:
	BSFL AX, AX
	ADDQ CX, AX
	MOVQ AX, ret+32(FP)
	VZEROUPPER
	RET
