// SPDX-License-Identifier: GPL-2.0-or-later

/// Which registers there are and which of their bits are simply kept; those that do more are in `E1000.write`.
enum E1000RegisterMap {
  /// The number of registers' places.
  static let count = E1000Register.end / 4

  /// The bits of each register that a guest may write, by offset.
  static let writable: [Int: UInt32] = {
    typealias Register = E1000Register
    var masks: [Int: UInt32] = [
      Register.ctrl: 0xFBFF_FFFF,
      Register.ctrlExt: 0xFFFF_DFFF, Register.fla: 0xFF, Register.fcal: .max, Register.fcah: 0xFFFF,
      Register.fct: 0xFFFF, Register.vet: 0xFFFF, Register.rctl: 0x07FF_FFFE, Register.fcttv: 0xFFFF,
      Register.txcw: .max, Register.rxcw: .max, Register.tctl: 0x0FFF_FFFA, Register.tipg: 0x3FFF_FFFF,
      Register.ait: 0xFFFF, Register.ledctl: .max, Register.pba: 0x7F, Register.fcrtl: 0x8000_FFF8,
      Register.fcrth: 0xFFF8, Register.rdfh: 0x1FFF, Register.rdft: 0x1FFF, Register.rdfhs: 0x1FFF,
      Register.rdfts: 0x1FFF, Register.rdfpc: 0x1FFF, Register.rdbal: 0xFFFF_FFF0, Register.rdbah: .max,
      Register.rdlen: 0xF_FF80, Register.rdh: 0xFFFF, Register.rdt: 0xFFFF, Register.rdtr: 0xFFFF,
      Register.rxdctl: 0x013F_3F3F, Register.radv: 0xFFFF, Register.rsrpd: 0xFFF, Register.txdmac: 1,
      Register.tdfh: 0x1FFF, Register.tdft: 0x1FFF, Register.tdfhs: 0x1FFF, Register.tdfts: 0x1FFF,
      Register.tdfpc: 0x1FFF, Register.tdbal: 0xFFFF_FFF0, Register.tdbah: .max, Register.tdlen: 0xF_FF80,
      Register.tdh: 0xFFFF, Register.tdt: 0xFFFF, Register.tidv: 0xFFFF, Register.txdctl: 0xFF3F_3F3F,
      Register.tadv: 0xFFFF, Register.tspmt: .max, Register.rxcsum: 0x7FF, Register.wuc: 0xF,
      Register.wufc: 0xF_80FF, Register.manc: .max, Register.ipav: 0x1_00FF, Register.itr: 0xFFFF,
    ]
    func table(_ first: Int, _ count: Int, step: Int = 4, _ mask: UInt32 = .max) {
      for index in 0..<count { masks[first + index * step] = mask }
    }
    table(Register.mta, 128)
    table(Register.ral, E1000ReceiveAddress.count, step: 8)
    table(Register.rah, E1000ReceiveAddress.count, step: 8, 0x8003_FFFF)
    table(Register.vfta, 128)
    table(Register.ip4at, 4, step: 8)
    table(Register.ip6at, 4)
    table(Register.fflt, 4, step: 8, 0x7F)
    return masks
  }()

  /// The registers that are more than their plain bits, or cannot be written.
  private static let others: [Int] =
    [E1000Register.eecd, E1000Register.eerd, E1000Register.mdic, E1000Register.icr, E1000Register.ims]
    + stride(from: E1000Statistic.first, to: E1000Statistic.end, by: 4).filter {
      !E1000Statistic.holes.contains($0)
    }

  /// The offsets of all registers that hold something, in order.
  static let kept: [Int] = (writable.keys + others).sorted()

  /// The values after a reset that are not zero.
  static let resetValues: [Int: UInt32] = [
    E1000Register.ctrl: E1000Control.setLinkUp.rawValue | 2 << 8 | 1 << 18 | 1 << 20,
    E1000Register.vet: 0x8100,
    E1000Register.ledctl: 0x0706_8302,
    E1000Register.tipg: 0x0060_2008,
    E1000Register.txdmac: 1,
  ]

  /// 48 KB for receiving, 16 KB for sending.
  static let packetBufferAllocation: UInt32 = 0x30
}
