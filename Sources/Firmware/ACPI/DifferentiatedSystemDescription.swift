// SPDX-License-Identifier: GPL-2.0-or-later

/// The DSDT: the board's devices in AML (ACPI 6.4, section 5.2.11.1).
///
/// There is no `_PIC`, since a PIIX3 brings PCI interrupts to the same numbers at the PICs and at the I/O
/// APIC, and there are no GPE methods, since nothing raises one.
struct DifferentiatedSystemDescription {
  let platform: PlatformDescription

  /// The body, after the table's header.
  var body: [UInt8] {
    [powerStates, .scope("\\_SB", [hostBridge]), .scope("\\_SB", interruptLinks + processors)].flatMap(
      \.bytes)
  }

  /// Soft-off: SLP_TYP 0 (PIIX4 data sheet, section 7.1, PMCNTRL). S3 and S4 are not there.
  private var powerStates: AML {
    .define("\\_S5", .package([.integer(0), .integer(0), .integer(0), .integer(0)]))
  }

  // MARK: PCI

  private var hostBridge: AML {
    .device(
      "PCI0",
      [
        .define("_HID", .eisaID("PNP0A03")),
        .define("_UID", .integer(0)),
        .define("_CRS", .resources(windows)),
        .define("_PRT", .package(interruptRoutes)),
        isaBridge,
        generalPurposeEvents,
      ])
  }

  /// What the host bridge passes on to PCI.
  private var windows: [ResourceDescriptor] {
    var windows: [ResourceDescriptor] = [
      .busNumbers(0...0xFF),
      .ports(0x0CF8, count: 8),
      .portWindow(0...0x0CF7),
      .portWindow(0x0D00...0xFFFF),
      .memoryWindow(0xA_0000...0xB_FFFF, .cacheable),
      .memoryWindow(platform.pciWindow, .nonCacheable),
    ]
    if let window64 = platform.pciWindow64 { windows.append(.memoryWindow64(window64)) }
    return windows
  }

  /// The link that each pin of each slot is wired to: the four lines turn by one from slot to slot. The SCI,
  /// which the power management function has as its INTA#, is hard-wired to 9.
  private var interruptRoutes: [AML] {
    platform.pciSlots.flatMap { slot in
      (0..<4).map { pin in
        let link = (slot + pin + 3) % 4
        let isSCI = slot == platform.chipsetSlot && pin == 0
        return AML.package([
          .integer(UInt64(slot & 31) << 16 | 0xFFFF),
          .integer(UInt64(pin)),
          .name("\\_SB.\(isSCI ? "LNKS" : Self.links[link].name)"),
          .integer(0),
        ])
      }
    }
  }

  /// GPE0_BLK lies in the port window but not in a BAR, so it is claimed here.
  private var generalPurposeEvents: AML {
    let (base, count) = platform.generalPurposeEvents
    return .device(
      "GPE0",
      [
        .define("_HID", .eisaID("PNP0A06")),
        .define("_UID", .string("GPE0 resources")),
        .define("_STA", .integer(0x0B)),
        .define("_CRS", .resources([.ports(base, count: count)])),
      ])
  }

  // MARK: ISA

  private var isaBridge: AML {
    .device(
      "ISA",
      [
        .define("_ADR", .integer(UInt64(platform.chipsetSlot & 31) << 16)),
        // PIRQRC[A:D] (PIIX3 data sheet, section 2.2.4).
        .region("P40C", .pciConfiguration, offset: 0x60, count: 4),
      ] + platform.isaDevices.map(isaDevice))
  }

  private func isaDevice(_ device: ISADevice) -> AML {
    // Identifiers of Plug and Play are packed into a number; those of ACPI are longer (ACPI 6.4, section 6.1.5).
    let id = device.plugAndPlayID
    var body: [AML] = [.define("_HID", id.utf8.count == 7 ? .eisaID(id) : .string(id))]
    if let uniqueID = device.uniqueID { body.append(.define("_UID", .integer(uniqueID))) }
    body.append(.define("_STA", .integer(0x0F)))
    let ports = device.ports.map { ResourceDescriptor.ports($0.base, count: $0.count) }
    let interrupt = device.irq.map { [ResourceDescriptor.isaInterrupt($0)] } ?? []
    body.append(.define("_CRS", .resources(ports + interrupt)))
    return .device(device.name, body)
  }

  // MARK: Interrupt links

  private static let links: [(name: String, register: String)] = [
    ("LNKA", "PRQ0"), ("LNKB", "PRQ1"), ("LNKC", "PRQ2"), ("LNKD", "PRQ3"),
  ]

  private var interruptLinks: [AML] {
    [
      .byteFields("PCI0.ISA.P40C", Self.links.map(\.register)),
      // Enabled or disabled, by bit 7 of the register.
      .method(
        "IQST", arguments: 1,
        [
          .ifTrue(.and(.integer(0x80), .argument(0)), [.returnValue(.integer(0x09))]),
          .returnValue(.integer(0x0B)),
        ]),
      // The interrupt a register chooses, as resources; its number is the last dword of the descriptor.
      .define("PRR0", .resources([.sharedInterrupts([0])])),
      .method(
        "IQCR", arguments: 1, isSerialized: true,
        [
          .createDWordField(.name("PRR0"), 5, "PRRI"),
          .ifTrue(.isLess(.argument(0), .integer(0x80)), [.store(.argument(0), .name("PRRI"))]),
          .returnValue(.name("PRR0")),
        ]),
    ] + Self.links.enumerated().map { Self.link($1.name, $1.register, uniqueID: UInt64($0)) } + [sciLink]
  }

  private static func link(_ name: String, _ register: String, uniqueID: UInt64) -> AML {
    .device(
      name,
      [
        .define("_HID", .eisaID("PNP0C0F")),
        .define("_UID", .integer(uniqueID)),
        .define("_PRS", .resources([.sharedInterrupts([5, 10, 11])])),
        .method("_STA", [.returnValue(.call("IQST", .name(register)))]),
        .method("_DIS", [.or(.name(register), .integer(0x80), to: .name(register))]),
        .method("_CRS", [.returnValue(.call("IQCR", .name(register)))]),
        .method(
          "_SRS", arguments: 1,
          [.createDWordField(.argument(0), 5, "PRRI"), .store(.name("PRRI"), .name(register))]),
      ])
  }

  private var sciLink: AML {
    .device(
      "LNKS",
      [
        .define("_HID", .eisaID("PNP0C0F")),
        .define("_UID", .integer(4)),
        .define("_PRS", .resources([.sharedInterrupts([9])])),
        .method("_STA", [.returnValue(.integer(0x0B))]),
        .method("_DIS", []),
        .method("_CRS", [.returnValue(.name("_PRS"))]),
        .method("_SRS", arguments: 1, []),
      ])
  }

  // MARK: CPUs

  /// A processor device for each CPU; `_UID` ties it to its entry in the MADT.
  private var processors: [AML] {
    let devices = platform.apicIDs.indices.map { index in
      let digits = String(index, radix: 16, uppercase: true)
      let name = "C" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
      return AML.device(
        name, [.define("_HID", .string("ACPI0007")), .define("_UID", .integer(UInt64(index)))])
    }
    return [
      .device(
        "CPUS", [.define("_HID", .string("ACPI0010")), .define("_CID", .eisaID("PNP0A05"))] + devices)
    ]
  }
}
