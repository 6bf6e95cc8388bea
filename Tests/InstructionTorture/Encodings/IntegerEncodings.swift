// SPDX-License-Identifier: GPL-2.0-or-later

extension Encoding {
  /// The general-purpose instructions. Branches have no operand-size prefix: in 64-bit mode AMD truncates RIP
  /// to 16 bits, Intel does not (SDM volume 2, Jcc). The undefined flags are those of the instruction's own page in SDM volume 2.
  static let integer: [Encoding] = {
    var lines: [String] = []
    for (index, name) in ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"].enumerated() {
      let base = index * 8
      let undefined = ["or", "and", "xor"].contains(name) ? " u=A" : ""
      let lock = name == "cmp" ? "" : " lock"
      func hex(_ value: Int) -> String { (value < 16 ? "0" : "") + String(value, radix: 16, uppercase: true) }
      lines += [
        "\(name) \(hex(base)) /r\(lock)\(undefined)", "\(name) \(hex(base + 1)) /r\(lock)\(undefined)",
        "\(name) \(hex(base + 2)) /r\(undefined)", "\(name) \(hex(base + 3)) /r\(undefined)",
        "\(name) \(hex(base + 4)) ib\(undefined)", "\(name) \(hex(base + 5)) iz\(undefined)",
        "\(name) 80 /\(index) ib\(lock)\(undefined)", "\(name) 81 /\(index) iz\(lock)\(undefined)",
        "\(name) 83 /\(index) ib\(lock)\(undefined)",
      ]
    }
    for (index, name) in ["rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"].enumerated() {
      let rule = index < 4 ? "d=rotate" : "d=shift"
      lines += [
        "\(name) C0 /\(index) ib \(rule) k=shift", "\(name) C1 /\(index) ib \(rule) k=shift",
        "\(name) D0 /\(index) \(rule)", "\(name) D1 /\(index) \(rule)",
        "\(name) D2 /\(index) \(rule) k=shift", "\(name) D3 /\(index) \(rule) k=shift",
      ]
    }
    for condition in 0..<16 {
      let digit = String(condition, radix: 16, uppercase: true)
      lines += [
        "cmovcc 0F 4\(digit) /r", "setcc 0F 9\(digit) /r", "jcc NP 7\(digit) cb k=branch",
        "jcc NP 0F 8\(digit) cz k=branch",
      ]
    }
    lines += """
      inc FE /0 lock
      dec FE /1 lock
      inc FF /0 lock
      dec FF /1 lock
      not F6 /2 lock
      not F7 /2 lock
      neg F6 /3 lock
      neg F7 /3 lock
      test F6 /0 ib u=A
      test F7 /0 iz u=A
      test 84 /r u=A
      test 85 /r u=A
      test A8 ib u=A
      test A9 iz u=A
      mul F6 /4 u=SZAP
      mul F7 /4 u=SZAP
      imul F6 /5 u=SZAP
      imul F7 /5 u=SZAP
      imul 0F AF /r u=SZAP
      imul 69 /r iz u=SZAP
      imul 6B /r ib u=SZAP
      div F6 /6 u=CPAZSO k=divide
      div F7 /6 u=CPAZSO k=divide
      idiv F6 /7 u=CPAZSO k=divide
      idiv F7 /7 u=CPAZSO k=divide
      xchg 86 /r lock
      xchg 87 /r lock
      xchg 90 +r
      pause F3 90
      mov 88 /r
      mov 89 /r
      mov 8A /r
      mov 8B /r
      mov C6 /0 ib
      mov C7 /0 iz
      mov B0 +r ib
      mov B8 +r iv
      mov A0 mo
      mov A1 mo
      mov A2 mo
      mov A3 mo
      lea 8D /r m k=address
      movsxd NP 63 /r i32
      movsx 0F BE /r
      movsx 0F BF /r
      movzx 0F B6 /r
      movzx 0F B7 /r
      cbw 98
      cwd 99
      lahf 9F
      sahf 9E
      cmc F5
      clc F8
      stc F9
      cld FC
      std FD
      shld 0F A4 /r ib d=doubleShift k=shift
      shld 0F A5 /r d=doubleShift k=shift
      shrd 0F AC /r ib d=doubleShift k=shift
      shrd 0F AD /r d=doubleShift k=shift
      bt 0F A3 /r u=OSAP k=bitString
      bts 0F AB /r u=OSAP k=bitString lock
      btr 0F B3 /r u=OSAP k=bitString lock
      btc 0F BB /r u=OSAP k=bitString lock
      bt 0F BA /4 ib u=OSAP
      bts 0F BA /5 ib u=OSAP lock
      btr 0F BA /6 ib u=OSAP lock
      btc 0F BA /7 ib u=OSAP lock
      bsf 0F BC /r u=COSAP d=bitScan
      bsr 0F BD /r u=COSAP d=bitScan
      popcnt F3 0F B8 /r cpu=popcnt
      tzcnt F3 0F BC /r u=OSAP cpu=bmi1
      lzcnt F3 0F BD /r u=OSAP cpu=lzcnt
      xadd 0F C0 /r lock
      xadd 0F C1 /r lock
      cmpxchg 0F B0 /r lock k=compareExchange
      cmpxchg 0F B1 /r lock k=compareExchange
      cmpxchg8b NP W0 0F C7 /1 m lock k=compareExchange cpu=cx8
      cmpxchg16b NP W1 0F C7 /1 m lock k=compareExchange s=16 al cpu=cx16 i32
      bswap 0F C8 +r d=byteSwap
      movbe 0F 38 F0 /r m cpu=movbe
      movbe 0F 38 F1 /r m cpu=movbe
      crc32 F2 0F 38 F0 /r cpu=sse4.2
      crc32 F2 0F 38 F1 /r cpu=sse4.2
      push 50 +r k=stack
      pop 58 +r k=stack
      push 68 iz k=stack
      push 6A ib k=stack
      push FF /6 k=stack
      pop 8F /0 k=popRegister
      pushf 9C k=stack
      popf 9D k=popFlags
      enter C8 iwib k=enter
      leave C9 k=leave
      ret NP C3 k=returning
      ret NP C2 iw k=returning
      call NP E8 cz k=branch
      jmp NP E9 cz k=branch
      jmp NP EB cb k=branch
      call NP FF /2 k=jumpTo
      jmp NP FF /4 k=jumpTo
      loopne NP E0 cb k=branch
      loope NP E1 cb k=branch
      loop NP E2 cb k=branch
      jrcxz NP E3 cb k=branch
      movs A4 k=string
      movs A5 k=string
      cmps A6 k=string
      cmps A7 k=string
      stos AA k=string
      stos AB k=string
      lods AC k=string
      lods AD k=string
      scas AE k=string
      scas AF k=string
      xlat D7 k=xlat
      nop 0F 1F /r
      hint 0F 19 /r
      prefetch 0F 18 /0 m
      prefetch 0F 18 /1 m
      prefetch 0F 18 /3 m
      prefetchw 0F 0D /1 m cpu=prefetchw
      movnti NP 0F C3 /r m cpu=sse2
      int3 CC
      ud2 0F 0B
      ud1 0F B9 /r
      undefined FE /2
      undefined FF /7
      undefined 0F BA /0 ib
      undefined 0F BA /3 ib
      undefined C6 /1 ib r
      undefined C7 /3 iz
      undefined 0F A6
      undefined 0F 24
      undefined 0F 36
      hlt F4
      cli FA
      sti FB
      in EC
      in ED
      in E4 ib
      out EE
      out EF
      out E7 ib
      clts 0F 06
      rdmsr 0F 32
      wrmsr 0F 30
      invd 0F 08
      wbinvd NP 0F 09
      mov-cr 0F 20 /0 r
      mov-cr 0F 22 /3 r
      mov-dr 0F 21 /6 r
      mov-dr 0F 23 /7 r
      lgdt 0F 01 /2 m
      lidt 0F 01 /3 m
      invlpg 0F 01 /7 m
      ltr 0F 00 /3
      lldt 0F 00 /2
      push-seg 06 i64 d=pushSegment
      pop-seg 07 i64 i32
      push-seg 0E i64 d=pushSegment
      push-seg 16 i64 d=pushSegment
      push-seg 1E i64 d=pushSegment
      daa 27 i64 u=O
      das 2F i64 u=O
      aaa 37 i64 u=OSZP
      aas 3F i64 u=OSZP
      pusha 60 i64
      popa 61 i64 k=popAll
      alu-82 82 /0 ib i64
      into CE i64
      aam D4 ib i64 u=OAC
      aad D5 ib i64 u=OAC
      salc D6 i64
      """.split(separator: "\n").map(String.init)
    lines += """
      andn VEX:NP:2 F2 /r u=AP cpu=bmi1
      blsr VEX:NP:2 F3 /1 u=AP cpu=bmi1
      blsmsk VEX:NP:2 F3 /2 u=AP cpu=bmi1
      blsi VEX:NP:2 F3 /3 u=AP cpu=bmi1
      bextr VEX:NP:2 F7 /r u=ASP cpu=bmi1
      bzhi VEX:NP:2 F5 /r u=AP cpu=bmi2
      mulx VEX:F2:2 F6 /r cpu=bmi2
      pdep VEX:F2:2 F5 /r cpu=bmi2
      pext VEX:F3:2 F5 /r cpu=bmi2
      rorx VEX:F2:3 F0 /r ib cpu=bmi2
      sarx VEX:F3:2 F7 /r cpu=bmi2
      shlx VEX:66:2 F7 /r cpu=bmi2
      shrx VEX:F2:2 F7 /r cpu=bmi2
      adcx 66 0F 38 F6 /r cpu=adx
      adox F3 NP 0F 38 F6 /r cpu=adx
      """.split(separator: "\n").map(String.init)
    return lines.map { Encoding($0) }
  }()
}
