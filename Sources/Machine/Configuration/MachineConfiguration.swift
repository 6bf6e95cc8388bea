// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import CPU
import CharacterDevice
import Firmware
import GuestMemory

/// Everything that is to be known to build a machine: what the command line says, as one value.
public struct MachineConfiguration: Sendable, Equatable {
  /// The emulator's version.
  public static let version = "0.1.0"
  /// `-name`: shown to viewers and in messages.
  public var name: String?
  /// `-uuid`, in its usual text form: the guest reads it in SMBIOS.
  public var uuid: String?
  /// `-m`: RAM in bytes.
  public var memoryByteCount: UInt64 = 256 << 20
  /// How the host provides the RAM.
  public var memoryBacking = RAMBlock.Backing()
  /// `-overcommit mem-lock=on`: nothing of the process is ever written to swap space.
  public var isMemoryLocked = false
  /// Off with `-no-acpi`: the firmware gets no ACPI tables.
  public var hasACPI = true
  /// `-smbios`.
  public var smbios = SMBIOSConfiguration()
  /// `-name …,process=`: what `ps` shows.
  public var processName: String?
  /// `-smp`.
  public var topology = CPUTopology()
  /// `-cpu`.
  public var cpu = CPUModelRequest()
  /// `-accel`: the engines to try, in order; empty to choose by the host.
  public var accelerators: [Accelerator] = []
  /// `-hda`, `-cdrom`, `-drive`.
  public var drives: [DriveConfiguration] = []
  /// `-blockdev`: the nodes that the drives' images came from.
  public var blockNodes: [BlockNodeConfiguration] = []
  /// `-nic`, `-netdev`, `-device`.
  public var network = NetworkConfiguration()
  /// `-usb`, `-usbdevice`, `-device`.
  public var usb = USBConfiguration()
  /// `-object`.
  public var objects: [ObjectConfiguration] = []
  /// `-boot`.
  public var boot = BootConfiguration()
  /// `-bios`, `-L`, `-kernel` …
  public var firmware = FirmwareConfigurationOptions()
  /// `-vga`: the card, or nil for none.
  public var vga: VGAConfiguration? = VGAConfiguration()
  /// `-vnc`: the part after the option, or nil for none.
  public var vnc: String?
  /// `-k`: the layout of viewers that send symbols instead of keys.
  public var keyboardLayout: String?
  /// `-chardev`: host's ends with names, which `chardev:ID` refers to.
  public var characterDevices: [CharacterDeviceConfiguration] = []
  /// `-serial`: the host's ends of COM1 … COM4; nil is a port that is not there.
  public var serials: [String?] = []
  /// `-parallel`: the host's end of LPT1.
  public var parallel: String?
  /// `-debugcon` and `-device isa-debugcon`.
  public var debugConsoles: [DebugConsoleConfiguration] = []
  /// `-device isa-debug-exit`.
  public var debugExits: [DebugExitConfiguration] = []
  /// `-device pvpanic`.
  public var panicDevice: PanicDeviceConfiguration?
  /// The devices of `-device` that have an `id=`.
  public var namedDevices: [NamedDevice] = []
  /// `-qmp`, `-monitor`, `-mon`.
  public var monitors: [MonitorConfiguration] = []
  /// `-qtest`.
  public var testProtocol: TestProtocolConfiguration?
  /// `-rtc`.
  public var rtc = RTCConfiguration()
  /// `-icount`: time follows the instructions executed; nil for the host's time.
  public var instructionClock: InstructionClockConfiguration?
  /// `-S`: made, but not started.
  public var startsPaused = false
  /// `-no-reboot`: a reset ends the machine.
  public var endsOnReset = false
  /// `-no-shutdown`: a guest's power-off pauses the machine.
  public var pausesOnPowerOff = false
  /// `-action panic=`.
  public var panicAction = Machine.PanicAction.shutdown
  /// `-trace`: the categories to be traced.
  public var tracedCategories: [String] = []

  /// Where COM1 … COM4 are.
  public static let serialPorts: [(base: UInt16, irq: Int)] = [
    (0x3F8, 4), (0x2F8, 3), (0x3E8, 4), (0x2E8, 3),
  ]
  /// Where LPT1 is.
  public static let parallelPort: (base: UInt16, irq: Int) = (0x378, 7)

  /// A machine with 256 MiB, one CPU, a VGA card, and nothing to boot.
  public init() {}
}

/// A clock that follows the instructions executed.
public struct InstructionClockConfiguration: Sendable, Equatable {
  /// An instruction takes 2 to the power of this in nanoseconds, 0 … 10.
  public var shift = 3
  /// Whether the host's time passes while the guest is halted.
  public var sleepsWhenIdle = true
  /// 8 ns an instruction: about as fast as the engine is.
  public init() {}
}

/// What executes the guest.
public enum Accelerator: String, Sendable, CaseIterable {
  /// The host's KVM.
  case kvm
  /// The engine in Swift, on any host.
  case soft
  /// Nothing: the guest is played from outside, through qtest, while time stands still.
  case qtest
}

/// One disk or CD.
public struct DriveConfiguration: Sendable, Equatable {
  /// Where an IDE drive sits: channel 0 or 1, unit 0 (master) or 1 (slave). QEMU's index is channel × 2 + unit.
  public struct Position: Sendable, Hashable {
    public var channel: Int
    public var unit: Int
    /// A place on the two IDE channels.
    public init(channel: Int, unit: Int) { (self.channel, self.unit) = (channel, unit) }
    /// The place with QEMU's `index=`.
    public init(index: Int) { self.init(channel: index / 2 & 1, unit: index & 1) }
    /// QEMU's index, 0 … 3.
    public var index: Int { channel * 2 + unit }
  }
  /// `id=` of a `-drive`: the drive's name in monitors; nil for one made from the position.
  public var id: String?
  /// `id=` of a `-device`.
  public var deviceID: String?
  /// `node-name=` of a `-blockdev`: the image's name in monitors.
  public var nodeName: String?
  /// The image; nil for a CD drive without a disc.
  public var file: String?
  /// Where; nil for the first free place.
  public var position: Position?
  public var media = Drive.Kind.disk
  /// How the image is opened: `cache=`, `aio=`, `discard=`, `readonly=`.
  public var image = BlockOptions()
  /// Writes go to a temporary overlay.
  public var isSnapshot = false
  /// `werror=`.
  public var writeErrorPolicy = ErrorPolicy.enospc
  /// `rerror=`.
  public var readErrorPolicy = ErrorPolicy.report
  /// The serial number the guest sees; nil for one made from the position.
  public var serial: String?
  /// `ver=`: the version of the drive's firmware; nil for ours.
  public var firmwareVersion: String?
  /// `bootindex=`: lower numbers boot first; nil leaves it to `-boot`.
  public var bootIndex: Int?

  /// A disk with the given image.
  public init(file: String?, media: Drive.Kind = .disk) {
    self.file = file
    self.media = media
    image.isReadOnly = media == .cdrom
  }
}

/// `-boot`.
public struct BootConfiguration: Sendable, Equatable {
  /// Letters: a, b floppy; c disk; d CD; n network.
  public var order = "cad"
  /// The order for the first boot only.
  public var once: String?
  /// The boot menu is offered.
  public var showsMenu = false
  /// How long the menu waits, in milliseconds.
  public var menuWaitMilliseconds: Int?
  /// How long until a failed boot is tried again, in milliseconds; nil for never.
  public var rebootTimeoutMilliseconds: Int?
  /// A floppy without a boot signature is not booted from (off with `-no-fd-bootchk`).
  public var checksFloppySignature = true
  /// Only the devices in the order are tried.
  public var isStrict = false
  /// The default order.
  public init() {}
}

/// What the firmware is and what it is to start.
public struct FirmwareConfigurationOptions: Sendable, Equatable {
  /// `-bios`.
  public var bios: String?
  /// `-L`: searched before the usual places.
  public var searchDirectories: [String] = []
  /// `-kernel`: a Linux bzImage or a Multiboot image.
  public var kernel: String?
  /// `-initrd`.
  public var initrd: String?
  /// `-append`.
  public var commandLine: String?
  /// `-fw_cfg`.
  public var files: [FirmwareFileConfiguration] = []
  /// Nothing but the BIOS.
  public init() {}
}

/// `-smbios`.
public struct SMBIOSConfiguration: Sendable, Equatable {
  /// What the tables are to say instead of what they would.
  public var settings = SMBIOSSettings()
  /// Files with a structure each.
  public var files: [String] = []
  /// The usual tables.
  public init() {}
}

/// A file for the firmware and the guest, in the firmware configuration device.
public struct FirmwareFileConfiguration: Sendable, Equatable {
  /// Where its bytes come from.
  public enum Contents: Sendable, Equatable {
    /// A file of the host.
    case file(String)
    /// The text itself, without a zero behind it.
    case text(String)
  }
  public var name: String
  public var contents: Contents
  /// A file with that name, at most 55 characters.
  public init(name: String, contents: Contents) {
    self.name = name
    self.contents = contents
  }
}

/// The VGA card.
public struct VGAConfiguration: Sendable, Equatable {
  /// Video memory in MiB, a power of two from 1 to 256.
  public var memoryMegabytes = 16
  /// The preferred mode in the EDID block.
  public var preferredWidth = 1024
  public var preferredHeight = 768
  /// The option ROM; nil for the usual one.
  public var romFile: String?
  /// The usual card.
  public init() {}
}

/// A host's end with a name.
public struct CharacterDeviceConfiguration: Sendable, Equatable {
  public var id: String
  public var specification: CharacterPortSpecification
  /// Whether several front ends share it.
  public var isShared = false
  /// A host's end.
  public init(id: String, specification: CharacterPortSpecification) {
    (self.id, self.specification) = (id, specification)
  }
}

/// A monitor: who looks at the machine and controls it from outside.
public struct MonitorConfiguration: Sendable, Equatable {
  /// What language it speaks.
  public enum Mode: String, Sendable, CaseIterable {
    /// QMP, for programs.
    case control
    /// The human monitor.
    case readline
  }
  public var mode: Mode
  /// The host's end.
  public var port: String
  /// The character device's name in messages.
  public var label: String
  /// Answers of QMP are indented, for people.
  public var isPretty = false
  /// A monitor.
  public init(mode: Mode, port: String, label: String) {
    (self.mode, self.port, self.label) = (mode, port, label)
  }
}

/// `-qtest` and `-qtest-log`.
public struct TestProtocolConfiguration: Sendable, Equatable {
  /// The host's end.
  public var port: String
  /// The file that what is said is written to; nil for standard error, "none" for nowhere.
  public var log: String?
  /// A test protocol on a port, logged to standard error.
  public init(port: String) { self.port = port }
}

/// `isa-debugcon`.
public struct DebugConsoleConfiguration: Sendable, Equatable {
  /// The host's end.
  public var port: String
  /// The I/O port.
  public var ioBase: UInt16 = 0xE9
  /// What a read of the port returns.
  public var readback: UInt8 = 0xE9
  /// A console on port 0xE9.
  public init(port: String) { self.port = port }
}

/// `isa-debug-exit`.
public struct DebugExitConfiguration: Sendable, Equatable {
  /// The I/O port.
  public var ioBase: UInt16 = 0x501
  /// How many ports: 1, 2 or 4.
  public var ioSize = 2
  /// Two ports at 0x501.
  public init() {}
}

/// A device that somebody gave a name.
public struct NamedDevice: Sendable, Equatable {
  public let id: String
  /// QEMU's name of what it is.
  public let driver: String
  /// A device.
  public init(id: String, driver: String) { (self.id, self.driver) = (id, driver) }
}

/// `pvpanic`.
public struct PanicDeviceConfiguration: Sendable, Equatable {
  /// The I/O port.
  public var ioBase: UInt16 = 0x505
  /// The events that the guest is told of: bit 0 panicked, bit 1 crash loaded.
  public var events: UInt8 = 3
  /// All events at 0x505.
  public init() {}
}

/// `-rtc`.
public struct RTCConfiguration: Sendable, Equatable {
  /// What the clock shows at the start.
  public enum Base: Sendable, Equatable {
    case utc
    case localTime
    /// Seconds since 1970.
    case date(Int64)
  }
  public var base = Base.utc
  /// Whether it stands still while the machine is paused (`clock=vm`).
  public var followsGuestTime = false
  /// UTC, following the host.
  public init() {}
}
