// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import CPU
import CharacterDevice
import Chipset
import Display
import EventLoop
import Firmware
import GuestMemory
import HostUSB
import IDE
import Input
import Logging
import PCI
import Serial
import VGA
import VNC

/// The whole PC: every device, its address, its interrupt and its PCI slot.
///
/// PCI:  00:00.0 i440FX   00:01.0 PIIX3   00:01.1 IDE   00:01.3 PIIX4 power management   00:02.0 VGA
///       00:01.2 UHCI (-usb)   00:03.0 … network cards, other USB controllers
/// IRQ:  0 8254 (engine)  1 keyboard  3 COM2/4  4 COM1/3  7 LPT1  8 RTC  9 ACPI  10, 11 PCI  12 mouse  14, 15 IDE
final class Board {
  let engine: any Engine
  /// The interrupt controllers, if the engine has none of its own.
  let interruptPlatform: PCInterruptPlatform?
  let bus: SystemBus
  private let interrupts: InterruptJunction
  let memory = MemorySpace()
  let ports = PortSpace()
  let pci: PCIBus
  let surface = DisplaySurface()
  let input: InputRouter
  var devices: [any Device] = []
  /// Whether the machine has not been reset since it was switched on.
  private(set) var isFirstBoot = true
  private var resetCount = 0
  /// What people should know about the machine, a line each.
  private var notices: [String] = []
  /// Those of the configuration, in its order, then those that were made for what was plugged in.
  var drives: [Drive]
  let blockNodes: BlockNodes
  let driveFactory: DriveFactory
  private(set) var power: PIIX4PowerManagement?
  let characterPorts: CharacterPorts
  let networks: Networks
  /// What others refer to by its id.
  var objects: [ObjectConfiguration] = []
  /// The network cards, and where they sit.
  var networkCards: [NetworkCard] = []
  /// The USB host controllers, in the order of their buses.
  var usbControllers: [USBController] = []
  /// What is plugged into them.
  var usbDevices: [USBPeripheral] = []
  /// The host's USB, once a device of it was asked for.
  var hostUSB: HostUSB?
  /// Called when a device of the host that the guest has is gone: with its name.
  var onUSBDeviceGone: ((String) -> Void)?
  /// What viewers and screenshots show.
  private(set) lazy var screenSource = ScreenSource(engine: engine, card: vga)
  private(set) var vga: VGADevice?
  private(set) var realTimeClock: RealTimeClock?
  private(set) var vnc: VNCServer?
  /// COM1 … COM4.
  static let serialPorts: [(base: UInt16, irq: Int)] = MachineConfiguration.serialPorts
  let configuration: MachineConfiguration
  let loop: EventLoop

  /// Builds the board. The lock is held.
  init(
    _ configuration: MachineConfiguration, control: any SystemControl, clock: MachineClock, loop: EventLoop
  ) throws {
    (self.configuration, self.loop) = (configuration, loop)
    bus = SystemBus(lock: loop.lock, ports: ports, memory: memory)
    pci = PCIBus(ports: ports, memory: memory)
    input = InputRouter(loop: loop)
    characterPorts = try CharacterPorts(configuration.characterDevices, loop: loop, control: control)
    let files = FirmwareFiles(directories: configuration.firmware.searchDirectories)
    // What may be refused for what a person typed comes before what costs time.
    driveFactory = DriveFactory(loop: loop, control: control)
    drives = try driveFactory.open(configuration.drives)
    blockNodes = try BlockNodes(configuration.blockNodes, drives: drives, loop: loop)
    networks = try Networks(
      configuration.network, characterPorts: characterPorts, loop: loop,
      isTraced: configuration.tracedCategories.contains("net"))
    let bios = try BIOSImage(configuration.firmware.bios ?? "bios-256k.bin", files: files).rom
    let ram = try RAMBlock(
      name: "pc.ram", byteCount: Int(configuration.memoryByteCount), backing: configuration.memoryBacking)

    let choice = try EngineChoice(configuration, bus: bus, clock: clock)
    engine = choice.engine
    interruptPlatform = choice.platform
    let interrupts = InterruptJunction(engine.interruptController)
    self.interrupts = interrupts
    let isa = { (irq: Int) in interrupts.line(irq) }

    // 00:00.0: RAM around the PCI hole, the BIOS, shadowing. CONFIG_ADDRESS and CONFIG_DATA at 0xCF8.
    let hostBridge = I440FXHostBridge(memory: memory, ram: ram, bios: bios)
    add(hostBridge, at: PCIAddress(0))
    let mechanism = PCIConfigurationMechanism(bus: pci)
    add(mechanism).map(in: ports)

    // 00:01.0: ISA bridge, PCI interrupt routing, reset at 0xCF9.
    let isaBridge = PIIX3ISABridge(irqs: (0..<16).map(isa), control: control)
    add(isaBridge, at: PCIAddress(1, 0))
    pci.interruptRouter = isaBridge
    mechanism.narrowAccess = isaBridge.makeResetWindow()

    // 00:01.1: IDE at 0x1F0/0x3F6 and 0x170/0x376.
    let ide = PIIX3IDEController(
      memory: memory.memory, drives: DriveFactory.arranged(drives, as: configuration.drives),
      interrupts: [isa(14), isa(15)])
    add(ide, at: PCIAddress(1, 1))
    ide.map(in: ports)

    // 00:01.3: ACPI where the firmware puts it, APM at 0xB2, GPE at 0xAFE0.
    let power = PIIX4PowerManagement(clock: clock, ports: ports, sci: isa(9), control: control)
    add(power, at: PCIAddress(1, 3))
    power.map()
    self.power = power

    // 00:02.0: VGA at 0x3B0, 0x1CE and 0xA0000.
    if let card = configuration.vga { vga = try makeVGA(card, clock: clock, files: files) }

    // Network cards, in the slots they were given or the first that are free.
    for (index, card) in configuration.network.cards.enumerated() {
      try addNetworkCard(card, number: index, clock: clock, files: files)
    }
    // USB: the PIIX3's UHCI at 00:01.2, others where they were put or in free slots.
    try addUSBControllers(clock: clock)
    for object in configuration.objects { try add(object) }

    // ISA: DMA at 0x00, 0x80 and 0xC0, 0x61, 0x92, 0x60/0x64, 0x70.
    add(DMA8237(memory: memory.memory)).map(in: ports)
    let port61 = Port61(clock: clock, gate: engine.speakerGate)
    add(port61).map(in: ports)
    add(Port92(control: control)).map(in: ports)
    let keyboardController = KeyboardController8042(
      keyboardInterrupt: isa(1), mouseInterrupt: isa(12), control: control)
    add(keyboardController).map(in: ports)
    input.attach(keyboard: keyboardController.keyboard)
    input.attach(pointer: keyboardController.mouse)
    keyboardController.keyboard.onLEDs = { [input] in input.setLEDs($0) }
    let wallClock: any WallClock = try makeWallClock(configuration.rtc, clock: clock)
    let layout = GuestMemoryLayout(byteCount: configuration.memoryByteCount)
    var contents = CMOSContents(
      memory: layout, cpuCount: configuration.topology.count,
      bootOrder: configuration.boot.cmosCodes(isFirstBoot: true),
      checksFloppySignature: configuration.boot.checksFloppySignature)
    for (drive, settings) in zip(drives, configuration.drives) where drive.kind == .disk {
      guard let index = settings.position?.index, let medium = drive.medium else { continue }
      let geometry = DiskGeometry(sectorCount: medium.byteCount / 512)
      contents.addDisk(
        index, cylinders: Int(geometry.cylinders), heads: Int(geometry.heads), sectors: Int(geometry.sectors))
    }
    let rtc = RealTimeClock(clock: clock, wallClock: wallClock, interrupt: isa(8), contents: contents)
    add(rtc).map(in: ports)
    realTimeClock = rtc

    // COM1 … COM4, LPT1.
    for (index, (text, place)) in zip(configuration.serials, Self.serialPorts).enumerated() {
      guard let text, let port = try characterPorts.open(text, label: "com\(index + 1)") else { continue }
      let uart = UART16550A(name: "com\(index + 1)", clock: clock, interrupt: isa(place.irq), port: port)
      add(uart).map(in: ports, at: place.base)
    }
    if let text = configuration.parallel, let port = try characterPorts.open(text, label: "lpt1") {
      add(ParallelPort(name: "lpt1", interrupt: isa(7), port: port)).map(in: ports, at: 0x378)
    }
    for (index, console) in configuration.debugConsoles.enumerated() {
      guard let port = try characterPorts.open(console.port, label: "debugcon") else { continue }
      add(DebugConsole(name: "debugcon\(index)", port: port, readback: console.readback))
        .map(in: ports, at: console.ioBase)
    }
    for (index, exit) in configuration.debugExits.enumerated() {
      add(DebugExit(name: "isa-debug-exit\(index)", control: control))
        .map(in: ports, at: exit.ioBase, count: exit.ioSize)
    }

    for device in configuration.usb.devices { try addUSBDevice(device, clock: clock) }
    if let panic = configuration.panicDevice {
      add(PanicDevice(events: .init(rawValue: panic.events), control: control))
        .map(in: ports, at: panic.ioBase)
    }

    // fw_cfg at 0x510.
    let firmware = FirmwareConfigurationDevice(memory: memory.memory)
    add(firmware).map(in: ports)
    try describeMachine(to: firmware, power: power)

    choice.portsAreWired(ports, memory: memory)
    if configuration.instructionClock != nil {
      choice.settleDevices { [unowned self] in drainDrives() }
    }
    notices = choice.notices
  }

  private func makeVGA(_ card: VGAConfiguration, clock: Clock, files: FirmwareFiles) throws -> VGADevice {
    let rom = try OptionROM.load(card.romFile ?? "vgabios-stdvga.bin", files: files)
    let vga = try VGADevice(
      memory: memory, clock: clock, surface: surface, videoByteCount: card.memoryMegabytes << 20,
      rom: try rom.makeROM(), preferredWidth: card.preferredWidth,
      preferredHeight: card.preferredHeight)
    add(vga, at: PCIAddress(2))
    vga.map(in: ports)
    return vga
  }

  @discardableResult
  private func add<Added: Device>(_ device: Added) -> Added {
    devices.append(device)
    return device
  }

  func add<Added: Device & PCIFunction>(_ device: Added, at address: PCIAddress) {
    devices.append(device)
    pci.plug(device, at: address)
  }

  /// How often devices have raised each interrupt.
  var interruptCounts: [UInt64] { interrupts.raises }

  // MARK: Life. The lock is held.

  /// Opens the sockets of the VNC server and serves viewers.
  /// - Returns: what people must know to reach the machine, a line each.
  func startDisplay(
    loop: EventLoop, log: Log, onViewer: @escaping @Sendable (ViewerFacts, ViewerEvent) -> Void
  ) throws -> [String] {
    guard let text = configuration.vnc, var settings = try VNCConfiguration.parse(text) else {
      return notices
    }
    if let layout = configuration.keyboardLayout { settings.keyboardLayout = try KeyboardLayoutName(layout) }
    var logger = Logger(label: "martlet.vnc")
    logger.logLevel = configuration.tracedCategories.contains("vnc") ? .debug : .warning
    let server = try VNCServer(
      configuration: settings, surface: surface, source: screenSource, input: input, loop: loop,
      name: configuration.name ?? "Martlet", log: logger, onViewer: onViewer)
    if let id = settings.passwordSecret {
      server.setPassword(String(decoding: try secret(id), as: UTF8.self))
    }
    vnc = server
    try server.start()
    let viewer = server.displayAddress.map { ["the screen is on \($0) for VNC viewers"] } ?? []
    let browser = server.url.map { ["and in a browser on \($0)"] } ?? []
    return notices + viewer + browser
  }

  /// Ends the VNC server; the lock is not held.
  func stopDisplay() { vnc?.stop() }

  /// Brings all devices to their state after power-on. The first reset is the power-on itself.
  func reset() {
    isFirstBoot = resetCount == 0
    resetCount += 1
    input.releaseAllKeys()
    if resetCount == 2, configuration.boot.once != nil {
      realTimeClock?.store(
        CMOSContents(
          bootOrder: configuration.boot.cmosCodes(isFirstBoot: false),
          checksFloppySignature: configuration.boot.checksFloppySignature))
    }
    for device in devices { device.reset() }
  }

  func run() { for device in devices { device.run() } }
  func pause() { for device in devices { device.pause() } }

  /// Waits until no request to an image is under way.
  func drainDrives() { for drive in drives { drive.medium?.drain() } }

  /// Tries again what stopped the machine.
  func retryStoppedDrives() { for drive in drives { drive.retryStopped() } }

  /// Writes out and closes everything on the host.
  func close() {
    networks.close()
    hostUSB?.close()
    for drive in drives { drive.medium?.close() }
    blockNodes.close()
    characterPorts.close()
  }
}
