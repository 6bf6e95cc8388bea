// SPDX-License-Identifier: GPL-2.0-or-later

extension Encoding {
  /// The x87 instructions (SDM volume 2, appendix B.17), without the reserved aliases.
  ///
  /// Condition codes are left undefined by most of them (the "FPU Flags Affected" of each page): `d=x87`.
  /// The transcendental ones are only bound to an error of less than one unit in the last place (volume 1,
  /// 8.3.10): `d=x87Approximate`.
  static let x87: [Encoding] = {
    var lines: [String] = []
    let arithmetic = ["fadd", "fmul", "fcom", "fcomp", "fsub", "fsubr", "fdiv", "fdivr"]
    for (index, name) in arithmetic.enumerated() {
      let rule = index == 2 || index == 3 ? "d=x87Compare" : "d=x87"
      lines += [
        "\(name) D8 /\(index) m s=4 t=f32 \(rule)", "\(name) DC /\(index) m s=8 t=f64 \(rule)",
        "fi\(name.dropFirst()) DA /\(index) m s=4 \(rule)",
        "fi\(name.dropFirst()) DE /\(index) m s=2 \(rule)",
        "\(name) D8 /\(index) r \(rule)",
      ]
      if index != 2 && index != 3 {
        lines += ["\(name) DC /\(index) r \(rule)", "\(name)p DE /\(index) r \(rule)"]
      }
    }
    for index in 0..<4 {
      lines += ["fcmov DA /\(index) r d=x87", "fcmovn DB /\(index) r d=x87"]
    }
    lines += """
      fld D9 /0 m s=4 t=f32 d=x87
      fst D9 /2 m s=4 d=x87
      fstp D9 /3 m s=4 d=x87
      fldenv D9 /4 m s=28 t=env d=x87Environment
      fldcw D9 /5 m s=2 t=env
      fnstenv D9 /6 m s=28 d=x87Environment
      fnstcw D9 /7 m s=2
      fild DB /0 m s=4 d=x87
      fisttp DB /1 m s=4 d=x87
      fist DB /2 m s=4 d=x87
      fistp DB /3 m s=4 d=x87
      fld DB /5 m s=10 t=f80 d=x87
      fstp DB /7 m s=10 d=x87
      fld DD /0 m s=8 t=f64 d=x87
      fisttp DD /1 m s=8 d=x87
      fst DD /2 m s=8 d=x87
      fstp DD /3 m s=8 d=x87
      frstor DD /4 m s=108 t=env d=x87Environment
      fnsave DD /6 m s=108 d=x87Environment
      fnstsw DD /7 m s=2
      fild DF /0 m s=2 d=x87
      fisttp DF /1 m s=2 d=x87
      fist DF /2 m s=2 d=x87
      fistp DF /3 m s=2 d=x87
      fbld DF /4 m s=10 t=bcd d=x87
      fild DF /5 m s=8 d=x87
      fbstp DF /6 m s=10 d=x87
      fistp DF /7 m s=8 d=x87
      fld D9 /0 r d=x87
      fxch D9 /1 r d=x87
      fnop D9 /D0
      fchs D9 /E0 d=x87
      fabs D9 /E1 d=x87
      ftst D9 /E4 d=x87Compare
      fxam D9 /E5
      fld1 D9 /E8 d=x87
      fldl2t D9 /E9 d=x87
      fldl2e D9 /EA d=x87
      fldpi D9 /EB d=x87
      fldlg2 D9 /EC d=x87
      fldln2 D9 /ED d=x87
      fldz D9 /EE d=x87
      f2xm1 D9 /F0 d=x87Approximate
      fyl2x D9 /F1 d=x87Approximate
      fptan D9 /F2 d=x87Approximate
      fpatan D9 /F3 d=x87Approximate
      fxtract D9 /F4 d=x87
      fprem1 D9 /F5
      fdecstp D9 /F6 d=x87
      fincstp D9 /F7 d=x87
      fprem D9 /F8
      fyl2xp1 D9 /F9 d=x87Approximate
      fsqrt D9 /FA d=x87
      fsincos D9 /FB d=x87Approximate
      frndint D9 /FC d=x87
      fscale D9 /FD d=x87
      fsin D9 /FE d=x87Approximate
      fcos D9 /FF d=x87Approximate
      fucompp DA /E9 d=x87Compare
      fnclex DB /E2 d=x87
      fninit DB /E3
      fucomi DB /5 r
      fcomi DB /6 r
      ffree DD /0 r d=x87
      fst DD /2 r d=x87
      fstp DD /3 r d=x87
      fucom DD /4 r d=x87Compare
      fucomp DD /5 r d=x87Compare
      fcompp DE /D9 d=x87Compare
      fnstsw DF /E0
      fucomip DF /5 r
      fcomip DF /6 r
      fwait 9B d=x87
      undefined D9 /D1
      undefined D9 /E2
      undefined D9 /EF
      undefined DA /E8
      undefined DB /E5
      undefined DB /FF
      undefined DB /4 m
      undefined DB /6 m
      undefined D9 /1 m
      undefined DD /5 m
      undefined DE /D8
      undefined DF /E1
      undefined DF /FF
      """.split(separator: "\n").map(String.init)
    return lines.map { Encoding($0, usesFX: true) }
  }()
}
