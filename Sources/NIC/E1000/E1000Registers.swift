// SPDX-License-Identifier: GPL-2.0-or-later

/// Offsets of the registers in the memory window ("PCI/PCI-X Family of Gigabit Ethernet Controllers Software
/// Developer's Manual", revision 4.0, table 13-2).
enum E1000Register {
  static let ctrl = 0x0000
  static let status = 0x0008
  static let eecd = 0x0010
  static let eerd = 0x0014
  static let ctrlExt = 0x0018
  static let fla = 0x001C
  static let mdic = 0x0020
  static let fcal = 0x0028
  static let fcah = 0x002C
  static let fct = 0x0030
  static let vet = 0x0038
  static let icr = 0x00C0
  static let itr = 0x00C4
  static let ics = 0x00C8
  static let ims = 0x00D0
  static let imc = 0x00D8
  static let rctl = 0x0100
  static let fcttv = 0x0170
  static let txcw = 0x0178
  static let rxcw = 0x0180
  static let tctl = 0x0400
  static let tipg = 0x0410
  static let ait = 0x0458
  static let ledctl = 0x0E00
  static let pba = 0x1000
  static let fcrtl = 0x2160
  static let fcrth = 0x2168
  static let rdfh = 0x2410
  static let rdft = 0x2418
  static let rdfhs = 0x2420
  static let rdfts = 0x2428
  static let rdfpc = 0x2430
  static let rdbal = 0x2800
  static let rdbah = 0x2804
  static let rdlen = 0x2808
  static let rdh = 0x2810
  static let rdt = 0x2818
  static let rdtr = 0x2820
  static let rxdctl = 0x2828
  static let radv = 0x282C
  static let rsrpd = 0x2C00
  static let txdmac = 0x3000
  static let tdfh = 0x3410
  static let tdft = 0x3418
  static let tdfhs = 0x3420
  static let tdfts = 0x3428
  static let tdfpc = 0x3430
  static let tdbal = 0x3800
  static let tdbah = 0x3804
  static let tdlen = 0x3808
  static let tdh = 0x3810
  static let tdt = 0x3818
  static let tidv = 0x3820
  static let txdctl = 0x3828
  static let tadv = 0x382C
  static let tspmt = 0x3830
  static let rxcsum = 0x5000
  /// The multicast table: 128 registers.
  static let mta = 0x5200
  /// The receive addresses: 16 pairs.
  static let ral = 0x5400
  static let rah = 0x5404
  /// The VLAN filter table: 128 registers.
  static let vfta = 0x5600
  static let wuc = 0x5800
  static let wufc = 0x5808
  static let manc = 0x5820
  static let ipav = 0x5838
  static let ip4at = 0x5840
  static let ip6at = 0x5880
  static let fflt = 0x5F00
  /// No register lies at or beyond this offset.
  static let end = 0x6000
}

/// Offsets in the I/O window (section 13.2.2): an index and the register it names.
enum E1000Port {
  static let ioaddr = 0
  static let iodata = 4
}

/// CTRL (section 13.4.1).
struct E1000Control: OptionSet {
  let rawValue: UInt32
  static let fullDuplex = E1000Control(rawValue: 1 << 0)
  static let linkReset = E1000Control(rawValue: 1 << 3)
  /// SLU: the MAC may see the PHY's link.
  static let setLinkUp = E1000Control(rawValue: 1 << 6)
  static let speedMask: UInt32 = 3 << 8
  static let forceSpeed = E1000Control(rawValue: 1 << 11)
  static let forceDuplex = E1000Control(rawValue: 1 << 12)
  static let reset = E1000Control(rawValue: 1 << 26)
  /// VME: tags are taken off and put on.
  static let vlanMode = E1000Control(rawValue: 1 << 30)
  static let phyReset = E1000Control(rawValue: 1 << 31)
}

/// STATUS (section 13.4.2).
enum E1000Status {
  static let fullDuplex: UInt32 = 1 << 0
  static let linkUp: UInt32 = 1 << 1
  /// The place of the speed: 0 is 10, 1 is 100, 2 is 1000 Mb/s.
  static let speedShift: UInt32 = 6
  /// The place of the speed that was detected.
  static let detectedSpeedShift: UInt32 = 8
  static let clockOK: UInt32 = 1 << 10
}

/// CTRL_EXT (section 13.4.6).
enum E1000ExtendedControl {
  /// EE_RST: as after power-on, the EEPROM's words are taken over.
  static let eepromReset: UInt32 = 1 << 13
}

/// Interrupt causes: ICR, ICS, IMS, IMC (section 13.4.17).
struct E1000Interrupts: OptionSet {
  let rawValue: UInt32
  /// A descriptor with RS was written back.
  static let txdw = E1000Interrupts(rawValue: 1 << 0)
  /// The transmit ring is empty.
  static let txqe = E1000Interrupts(rawValue: 1 << 1)
  /// The link came or went.
  static let lsc = E1000Interrupts(rawValue: 1 << 2)
  /// Few receive descriptors are left.
  static let rxdmt0 = E1000Interrupts(rawValue: 1 << 4)
  /// A frame found no receive descriptor.
  static let rxo = E1000Interrupts(rawValue: 1 << 6)
  /// A frame was received.
  static let rxt0 = E1000Interrupts(rawValue: 1 << 7)
  /// An access by MDIC is complete.
  static let mdac = E1000Interrupts(rawValue: 1 << 9)
  /// Few transmit descriptors are left.
  static let txdLow = E1000Interrupts(rawValue: 1 << 15)
  /// A small frame was received.
  static let srpd = E1000Interrupts(rawValue: 1 << 16)
  /// The bits there are.
  static let all: UInt32 = 0x0001_F6DF
}

/// RCTL (section 13.4.22).
struct E1000ReceiveControl: OptionSet {
  let rawValue: UInt32
  static let enable = E1000ReceiveControl(rawValue: 1 << 1)
  /// SBP: frames with errors, too.
  static let storeBadPackets = E1000ReceiveControl(rawValue: 1 << 2)
  static let unicastPromiscuous = E1000ReceiveControl(rawValue: 1 << 3)
  static let multicastPromiscuous = E1000ReceiveControl(rawValue: 1 << 4)
  static let longPackets = E1000ReceiveControl(rawValue: 1 << 5)
  static let broadcastAccept = E1000ReceiveControl(rawValue: 1 << 15)
  static let vlanFilter = E1000ReceiveControl(rawValue: 1 << 18)
  static let canonicalFormFilter = E1000ReceiveControl(rawValue: 1 << 19)
  static let canonicalForm = E1000ReceiveControl(rawValue: 1 << 20)
  /// BSEX: buffers are 16 times as large.
  static let bufferSizeExtension = E1000ReceiveControl(rawValue: 1 << 25)
  /// SECRC: the frame check sequence is not stored.
  static let stripCRC = E1000ReceiveControl(rawValue: 1 << 26)

  /// LBM: what is sent is received.
  var loopbackMode: UInt32 { rawValue >> 6 & 3 }
  /// RDMTS: the threshold is the ring's length shifted right by this.
  var thresholdShift: UInt32 { (rawValue >> 8 & 3) + 1 }
  /// MO: which twelve bits of a group address are looked up.
  var multicastShift: UInt32 {
    switch rawValue >> 12 & 3 {
    case 0: 4
    case 1: 3
    case 2: 2
    default: 0
    }
  }
  /// BSIZE and BSEX: the size of a receive buffer in bytes. 16 × 2048 is reserved; no buffer is larger than 16 KiB.
  var bufferByteCount: Int {
    let size = 2048 >> Int(rawValue >> 16 & 3)
    return contains(.bufferSizeExtension) ? min(size * 16, 16384) : size
  }
}

/// TCTL (section 13.4.33).
struct E1000TransmitControl: OptionSet {
  let rawValue: UInt32
  static let enable = E1000TransmitControl(rawValue: 1 << 1)
  /// PSP: frames are padded to the least length.
  static let padShortPackets = E1000TransmitControl(rawValue: 1 << 3)
}

/// RXCSUM (section 13.4.29).
struct E1000ReceiveChecksum: OptionSet {
  let rawValue: UInt32
  static let ip = E1000ReceiveChecksum(rawValue: 1 << 8)
  static let tcpUDP = E1000ReceiveChecksum(rawValue: 1 << 9)
  /// PCSS: where the packet checksum starts.
  var start: Int { Int(rawValue & 0xFF) }
}

/// Bits of delays: RDTR and TIDV in units of 1.024 µs, with FPD, which ends the wait.
enum E1000Delay {
  static let flush: UInt32 = 1 << 31
  static let nanosecondsPerUnit: UInt64 = 1024
  /// ITR counts in units of 256 ns.
  static let nanosecondsPerThrottleUnit: UInt64 = 256
}

/// RAH (section 13.4.40).
enum E1000ReceiveAddress {
  static let count = 16
  static let valid: UInt32 = 1 << 31
  /// AS: zero if the destination is compared.
  static let selectMask: UInt32 = 3 << 16
}

/// The PCI identity and the sizes of the windows (sections 4.1 and 13.2).
enum E1000Identity {
  static let vendor: UInt16 = 0x8086
  static let device: UInt16 = 0x100E
  static let revision: UInt8 = 3
  static let memoryByteCount: UInt64 = 0x20000
  static let portCount: UInt64 = 64
  /// What the guest may write without the card seeing it at once: RDT, by which drivers give back what they have read, and
  /// which the card looks at when it has a frame.
  static let lateWrites = [UInt64(E1000Register.rdt)..<UInt64(E1000Register.rdt + 4)]
}
