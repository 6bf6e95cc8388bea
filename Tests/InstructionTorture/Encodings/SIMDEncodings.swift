// SPDX-License-Identifier: GPL-2.0-or-later

extension Encoding {
  /// MMX, SSE to SSE4.2, AES, PCLMULQDQ and SHA (SDM volume 2).
  static let simd: [Encoding] = {
    var lines: [String] = []
    // The four forms of SSE arithmetic: packed single and double, scalar single and double.
    func fourForms(_ name: String, _ rest: String) -> [String] {
      [
        "\(name)ps NP 0F \(rest) s=16 al t=ps cpu=sse", "\(name)pd 66 0F \(rest) s=16 al t=ps cpu=sse2",
        "\(name)ss F3 0F \(rest) s=4 t=ps cpu=sse", "\(name)sd F2 0F \(rest) s=8 t=ps cpu=sse2",
      ]
    }
    for (opcode, name) in [
      ("51", "sqrt"), ("58", "add"), ("59", "mul"), ("5C", "sub"), ("5D", "min"), ("5E", "div"),
      ("5F", "max"),
    ] {
      lines += fourForms(name, "\(opcode) /r")
    }
    lines += fourForms("cmp", "C2 /r ib")
    // The same on MMX and XMM registers.
    func both(_ name: String, _ rest: String, mmx: String, sse: String) -> [String] {
      ["\(name) NP 0F \(rest) s=8 cpu=\(mmx)", "\(name) 66 0F \(rest) s=16 al cpu=\(sse)"]
    }
    for opcode in [
      "60", "61", "62", "63", "64", "65", "66", "67", "68", "69", "6A", "6B", "74", "75", "76", "D1", "D2",
      "D3", "D5",
      "D8", "D9", "DB", "DC", "DD", "DF", "E1", "E2", "E5", "E8", "E9", "EB", "EC", "ED", "EF", "F1", "F2",
      "F3", "F5",
      "F8", "F9", "FA", "FC", "FD", "FE",
    ] {
      lines += both("p_\(opcode)", "\(opcode) /r", mmx: "mmx", sse: "sse2")
    }
    for opcode in ["DA", "DE", "E0", "E3", "E4", "EA", "EE", "F6"] {
      lines += both("p_\(opcode)", "\(opcode) /r", mmx: "sse", sse: "sse2")
    }
    for opcode in ["D4", "F4", "FB"] {
      lines += both("p_\(opcode)", "\(opcode) /r", mmx: "sse2", sse: "sse2")
    }
    for opcode in ["71", "72", "73"] {
      for digit in opcode == "73" ? [2, 6] : [2, 4, 6] {
        lines += both("pshift", "\(opcode) /\(digit) r ib", mmx: "mmx", sse: "sse2")
      }
    }
    for opcode in ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "0A", "0B", "1C", "1D", "1E"] {
      lines += both("p_38\(opcode)", "38 \(opcode) /r", mmx: "ssse3", sse: "ssse3")
    }
    for opcode in [
      "10", "14", "15", "17", "28", "29", "2B", "38", "39", "3A", "3B", "3C", "3D", "3E", "3F", "40", "41",
    ] {
      lines.append("p_38\(opcode) 66 0F 38 \(opcode) /r s=16 al t=ps cpu=sse4.1")
    }
    for opcode in ["20", "21", "22", "23", "24", "25", "30", "31", "32", "33", "34", "35"] {
      lines.append("pmov 66 0F 38 \(opcode) /r s=8 cpu=sse4.1")
    }
    for opcode in ["08", "09", "0C", "0D", "0E", "40", "41", "42"] {
      lines.append("p_3A\(opcode) 66 0F 3A \(opcode) /r ib s=16 al t=ps cpu=sse4.1")
    }
    for opcode in ["60", "61", "62", "63"] {
      lines.append("pcmpstr 66 0F 3A \(opcode) /r ib s=16 cpu=sse4.2")
    }
    for opcode in ["DB", "DC", "DD", "DE", "DF"] { lines.append("aes 66 0F 38 \(opcode) /r s=16 al cpu=aes") }
    for opcode in ["C8", "C9", "CA", "CB", "CC", "CD"] {
      lines.append("sha NP 0F 38 \(opcode) /r s=16 al cpu=sha")
    }
    lines += """
      movups NP 0F 10 /r s=16 t=ps cpu=sse
      movups NP 0F 11 /r s=16 cpu=sse
      movupd 66 0F 10 /r s=16 cpu=sse2
      movupd 66 0F 11 /r s=16 cpu=sse2
      movss F3 0F 10 /r s=4 cpu=sse
      movss F3 0F 11 /r s=4 cpu=sse
      movsd F2 0F 10 /r s=8 cpu=sse2
      movsd F2 0F 11 /r s=8 cpu=sse2
      movlps NP 0F 12 /r s=8 cpu=sse
      movlpd 66 0F 12 /r m s=8 cpu=sse2
      movddup F2 0F 12 /r s=8 cpu=sse3
      movsldup F3 0F 12 /r s=16 al cpu=sse3
      movlps NP 0F 13 /r m s=8 cpu=sse
      movlpd 66 0F 13 /r m s=8 cpu=sse2
      unpcklps NP 0F 14 /r s=16 al cpu=sse
      unpcklpd 66 0F 14 /r s=16 al cpu=sse2
      unpckhps NP 0F 15 /r s=16 al cpu=sse
      unpckhpd 66 0F 15 /r s=16 al cpu=sse2
      movhps NP 0F 16 /r s=8 cpu=sse
      movhpd 66 0F 16 /r m s=8 cpu=sse2
      movshdup F3 0F 16 /r s=16 al cpu=sse3
      movhps NP 0F 17 /r m s=8 cpu=sse
      movhpd 66 0F 17 /r m s=8 cpu=sse2
      movaps NP 0F 28 /r s=16 al cpu=sse
      movapd 66 0F 28 /r s=16 al cpu=sse2
      movaps NP 0F 29 /r s=16 al cpu=sse
      movapd 66 0F 29 /r s=16 al cpu=sse2
      cvtpi2ps NP 0F 2A /r d=mmxTransition s=8 cpu=sse
      cvtpi2pd 66 0F 2A /r d=mmxTransition s=8 cpu=sse2
      cvtsi2ss F3 0F 2A /r s=8 cpu=sse
      cvtsi2sd F2 0F 2A /r s=8 cpu=sse2
      movntps NP 0F 2B /r m s=16 al cpu=sse
      movntpd 66 0F 2B /r m s=16 al cpu=sse2
      cvttps2pi NP 0F 2C /r d=mmxTransition s=8 t=ps cpu=sse
      cvttpd2pi 66 0F 2C /r d=mmxTransition s=16 al t=ps cpu=sse2
      cvttss2si F3 0F 2C /r s=4 t=ps cpu=sse
      cvttsd2si F2 0F 2C /r s=8 t=ps cpu=sse2
      cvtps2pi NP 0F 2D /r d=mmxTransition s=8 t=ps cpu=sse
      cvtpd2pi 66 0F 2D /r d=mmxTransition s=16 al t=ps cpu=sse2
      cvtss2si F3 0F 2D /r s=4 t=ps cpu=sse
      cvtsd2si F2 0F 2D /r s=8 t=ps cpu=sse2
      ucomiss NP 0F 2E /r s=4 t=ps cpu=sse
      ucomisd 66 0F 2E /r s=8 t=ps cpu=sse2
      comiss NP 0F 2F /r s=4 t=ps cpu=sse
      comisd 66 0F 2F /r s=8 t=ps cpu=sse2
      movmskps NP 0F 50 /r r cpu=sse
      movmskpd 66 0F 50 /r r cpu=sse2
      rsqrtps NP 0F 52 /r s=16 al t=ps d=approximate cpu=sse
      rsqrtss F3 0F 52 /r s=4 t=ps d=approximate cpu=sse
      rcpps NP 0F 53 /r s=16 al t=ps d=approximate cpu=sse
      rcpss F3 0F 53 /r s=4 t=ps d=approximate cpu=sse
      andps NP 0F 54 /r s=16 al cpu=sse
      andpd 66 0F 54 /r s=16 al cpu=sse2
      andnps NP 0F 55 /r s=16 al cpu=sse
      andnpd 66 0F 55 /r s=16 al cpu=sse2
      orps NP 0F 56 /r s=16 al cpu=sse
      orpd 66 0F 56 /r s=16 al cpu=sse2
      xorps NP 0F 57 /r s=16 al cpu=sse
      xorpd 66 0F 57 /r s=16 al cpu=sse2
      cvtps2pd NP 0F 5A /r s=8 t=ps cpu=sse2
      cvtpd2ps 66 0F 5A /r s=16 al t=ps cpu=sse2
      cvtss2sd F3 0F 5A /r s=4 t=ps cpu=sse2
      cvtsd2ss F2 0F 5A /r s=8 t=ps cpu=sse2
      cvtdq2ps NP 0F 5B /r s=16 al cpu=sse2
      cvtps2dq 66 0F 5B /r s=16 al t=ps cpu=sse2
      cvttps2dq F3 0F 5B /r s=16 al t=ps cpu=sse2
      punpcklqdq 66 0F 6C /r s=16 al cpu=sse2
      punpckhqdq 66 0F 6D /r s=16 al cpu=sse2
      movd NP 0F 6E /r cpu=mmx
      movd 66 0F 6E /r cpu=sse2
      movd NP 0F 7E /r cpu=mmx
      movd 66 0F 7E /r cpu=sse2
      movq NP 0F 6F /r s=8 cpu=mmx
      movdqa 66 0F 6F /r s=16 al cpu=sse2
      movdqu F3 0F 6F /r s=16 cpu=sse2
      movq NP 0F 7F /r s=8 cpu=mmx
      movdqa 66 0F 7F /r s=16 al cpu=sse2
      movdqu F3 0F 7F /r s=16 cpu=sse2
      pshufw NP 0F 70 /r ib s=8 cpu=sse
      pshufd 66 0F 70 /r ib s=16 al cpu=sse2
      pshufhw F3 0F 70 /r ib s=16 al cpu=sse2
      pshuflw F2 0F 70 /r ib s=16 al cpu=sse2
      psrldq 66 0F 73 /3 r ib cpu=sse2
      pslldq 66 0F 73 /7 r ib cpu=sse2
      emms NP 0F 77 cpu=mmx
      haddpd 66 0F 7C /r s=16 al t=ps cpu=sse3
      haddps F2 0F 7C /r s=16 al t=ps cpu=sse3
      hsubpd 66 0F 7D /r s=16 al t=ps cpu=sse3
      hsubps F2 0F 7D /r s=16 al t=ps cpu=sse3
      movq F3 0F 7E /r s=8 cpu=sse2
      movq 66 0F D6 /r s=8 cpu=sse2
      movq2dq F3 0F D6 /r r cpu=sse2
      movdq2q F2 0F D6 /r r cpu=sse2
      fxsave NP 0F AE /0 m s=512 al d=fxsave cpu=fxsr
      fxrstor NP 0F AE /1 m s=512 al t=fxsave d=fxsave cpu=fxsr
      ldmxcsr NP 0F AE /2 m s=4 t=fxsave cpu=sse
      stmxcsr NP 0F AE /3 m s=4 cpu=sse
      lfence NP 0F AE /E8 cpu=sse2
      mfence NP 0F AE /F0 cpu=sse2
      sfence NP 0F AE /F8 cpu=sse
      pinsrw NP 0F C4 /r ib s=2 cpu=sse
      pinsrw 66 0F C4 /r ib s=2 cpu=sse2
      pextrw NP 0F C5 /r r ib cpu=sse
      pextrw 66 0F C5 /r r ib cpu=sse2
      shufps NP 0F C6 /r ib s=16 al cpu=sse
      shufpd 66 0F C6 /r ib s=16 al cpu=sse2
      addsubpd 66 0F D0 /r s=16 al t=ps cpu=sse3
      addsubps F2 0F D0 /r s=16 al t=ps cpu=sse3
      pmovmskb NP 0F D7 /r r cpu=sse
      pmovmskb 66 0F D7 /r r cpu=sse2
      cvttpd2dq 66 0F E6 /r s=16 al t=ps cpu=sse2
      cvtdq2pd F3 0F E6 /r s=8 cpu=sse2
      cvtpd2dq F2 0F E6 /r s=16 al t=ps cpu=sse2
      movntq NP 0F E7 /r m s=8 cpu=sse
      movntdq 66 0F E7 /r m s=16 al cpu=sse2
      lddqu F2 0F F0 /r m s=16 cpu=sse3
      maskmovq NP 0F F7 /r r d=mmxTransition k=maskMove cpu=sse
      maskmovdqu 66 0F F7 /r r k=maskMove cpu=sse2
      movntdqa 66 0F 38 2A /r m s=16 al cpu=sse4.1
      pcmpgtq 66 0F 38 37 /r s=16 al cpu=sse4.2
      palignr NP 0F 3A 0F /r ib s=8 cpu=ssse3
      palignr 66 0F 3A 0F /r ib s=16 al cpu=ssse3
      roundss 66 0F 3A 0A /r ib s=4 t=ps cpu=sse4.1
      roundsd 66 0F 3A 0B /r ib s=8 t=ps cpu=sse4.1
      pextrb 66 0F 3A 14 /r ib s=1 cpu=sse4.1
      pextrw 66 0F 3A 15 /r ib s=2 cpu=sse4.1
      pextrd 66 0F 3A 16 /r ib s=4 cpu=sse4.1
      extractps 66 0F 3A 17 /r ib s=4 cpu=sse4.1
      pinsrb 66 0F 3A 20 /r ib s=1 cpu=sse4.1
      insertps 66 0F 3A 21 /r ib s=4 t=ps cpu=sse4.1
      pinsrd 66 0F 3A 22 /r ib s=4 cpu=sse4.1
      pclmulqdq 66 0F 3A 44 /r ib s=16 al cpu=pclmul
      aeskeygenassist 66 0F 3A DF /r ib s=16 al cpu=aes
      sha1rnds4 NP 0F 3A CC /r ib s=16 al cpu=sha
      """.split(separator: "\n").map(String.init)
    return lines.map { Encoding($0, usesFX: true) }
  }()
}
