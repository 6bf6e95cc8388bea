// swift-tools-version: 6.3
// SPDX-License-Identifier: GPL-2.0-or-later

import PackageDescription

/// Every target of our own: strict concurrency, warnings are errors; in release builds the dynamic
/// exclusivity check (3.5 ns an access) is left to the debug builds that run the tests, and types are found by calls
/// instead of by their names, for which the runtime would look through all conformances (a sixth of a start).
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
  .unsafeFlags(
    ["-Xfrontend", "-disable-concrete-type-metadata-mangled-name-accessors"], .when(configuration: .release)),
]

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")

/// One room of the house. What is not listed in `uses` cannot be imported: this is where the
/// floors of docs/architecture.md are enforced.
func room(_ name: String, uses dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The unit tests of a room.
func tests(
  of name: String, uses dependencies: [Target.Dependency] = [], excluding: [String] = []
) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.target(name: name), "TestSupport"] + dependencies,
    exclude: excluding, swiftSettings: strict)
}

let package = Package(
  name: "martlet",
  products: [.executable(name: "martlet", targets: ["martlet"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // C: shims with no logic of their own.
    .target(name: "CHost"),
    .target(name: "CKVM"),
    .target(name: "CTUN"),
    .target(name: "CSSE"),
    .target(name: "CX87"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CAIO"),
    .systemLibrary(name: "CPixman", pkgConfig: "pixman-1"),
    .systemLibrary(name: "CVNCServer"),
    .systemLibrary(name: "CXKBCommon", pkgConfig: "xkbcommon"),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng"),
    .systemLibrary(name: "CJSON", pkgConfig: "json-c"),
    .systemLibrary(name: "CSlirp"),
    .systemLibrary(name: "CLibUSB"),

    // Host: knows no guest register.
    room("JSON", uses: ["CJSON"]),
    room("OptionSyntax"),
    room("DynamicLibrary"),
    room("TextEncoding"),
    room("EventLoop", uses: ["CHost", log]),
    room("Block", uses: ["CHost", "CAIO", "EventLoop", log]),
    room("CharacterDevice", uses: ["OptionSyntax", "CHost", "EventLoop", log]),
    room(
      "Network",
      uses: [
        "OptionSyntax", "DynamicLibrary", "CHost", "CSlirp", "CTUN", "EventLoop", "CharacterDevice", log,
      ]),
    room("HostUSB", uses: ["DynamicLibrary", "CHost", "CLibUSB", "EventLoop"]),
    room("Display", uses: ["CHost", "CPixman", "CPNG", "EventLoop"]),
    room(
      "VNC",
      uses: [
        "OptionSyntax", "DynamicLibrary", "TextEncoding", "CHost", "CVNCServer", "CXKBCommon", "Display",
        "EventLoop", log,
      ]),

    // Buses.
    room("GuestMemory", uses: ["CHost"]),
    room("Bus", uses: ["EventLoop", "GuestMemory"]),
    room("PCI", uses: ["Bus", "GuestMemory"]),
    room("CPU", uses: ["OptionSyntax", "Bus", "GuestMemory", "EventLoop"]),

    // Engines: what executes the guest.
    room("KVM", uses: ["CHost", "CKVM", "CPU", "Bus", "GuestMemory", "EventLoop", log]),

    room("SoftCPU", uses: ["CSSE", "CX87", "CPU", "Bus", "GuestMemory", "EventLoop"]),
    room("QTestEngine", uses: ["CPU", "Bus", "GuestMemory", "EventLoop"]),

    // Devices: what the guest sees.
    room("Chipset", uses: ["CPU", "Bus", "PCI", "GuestMemory", "CharacterDevice"]),
    room("Firmware", uses: ["Bus", "PCI", "GuestMemory", log]),
    room("SCSI", uses: ["Block"]),
    room("IDE", uses: ["Bus", "PCI", "GuestMemory", "Block", "SCSI"]),
    room("VGA", uses: ["Bus", "PCI", "GuestMemory", "Display", "CPixman"]),
    room("Serial", uses: ["Bus", "CharacterDevice"]),
    room("NIC", uses: ["CZlib", "Bus", "PCI", "GuestMemory", "Network"]),
    room("Input", uses: ["Bus", "Display"]),
    room(
      "USB", uses: ["Bus", "PCI", "GuestMemory", "Block", "SCSI", "CharacterDevice", "Display", "HostUSB"]),

    // The board, what controls it, and the command.
    room(
      "Machine",
      uses: [
        "OptionSyntax", "TextEncoding", "CHost", "CPU", "KVM", "SoftCPU", "QTestEngine", "Bus", "PCI",
        "GuestMemory",
        "EventLoop",
        "Block",
        "CharacterDevice", "Network", "HostUSB", "Display", "VNC",
        "Chipset", "Firmware", "IDE", "VGA", "NIC", "USB", "Serial", "Input", log,
      ]),
    room(
      "Control",
      uses: [
        "JSON", "OptionSyntax", "DynamicLibrary", "TextEncoding", "CHost", "EventLoop", "Block",
        "CharacterDevice", "Network",
        "Display", "VNC", "CPU", "PCI",
        "Machine", log,
      ]),
    .executableTarget(
      name: "martlet",
      dependencies: [
        "Control", "Machine", "CharacterDevice", "EventLoop", "Network", "JSON", "OptionSyntax", "CHost",
        .product(name: "ArgumentParser", package: "swift-argument-parser"), log,
      ],
      swiftSettings: strict),

    // Tests.
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .target(
      name: "TestSupport",
      dependencies: ["CAllocationCounter", "Bus", "PCI", "GuestMemory", "EventLoop", "Network", "Block"],
      path: "Tests/TestSupport",
      swiftSettings: strict),
    .target(
      name: "CNativeExecutor", path: "Tests/CNativeExecutor", cSettings: [.unsafeFlags(["-O2"])]),
    .target(
      name: "GuestSupport",
      dependencies: ["KVM", "SoftCPU", "Chipset", "CPU", "Bus", "GuestMemory", "EventLoop"],
      path: "Tests/GuestSupport", swiftSettings: strict),
    .testTarget(
      name: "EngineTests",
      dependencies: ["GuestSupport", "TestSupport", "KVM", "SoftCPU", "CKVM", "CPU", "Bus", "GuestMemory"],
      swiftSettings: strict),
    // Optimised in debug builds too: it makes and compares millions of instructions.
    .target(
      name: "InstructionTorture", dependencies: ["CNativeExecutor", "TestSupport"],
      path: "Tests/InstructionTorture", swiftSettings: strict + [.unsafeFlags(["-O"])]),
    tests(of: "InstructionTorture", uses: ["CNativeExecutor"]),
    tests(of: "JSON"),
    tests(of: "OptionSyntax"),
    tests(of: "EventLoop", uses: ["CHost"]),
    tests(of: "Block", uses: ["CHost", "EventLoop"]),
    tests(of: "CharacterDevice", uses: ["CHost", "EventLoop"]),
    tests(of: "Network", uses: ["CHost", "CharacterDevice", "EventLoop", "OptionSyntax", log]),
    tests(of: "HostUSB", uses: ["CHost", "CLibUSB", "DynamicLibrary", "EventLoop"]),
    tests(of: "Display"),
    tests(of: "VNC", uses: ["Display", "EventLoop", "CHost", "DynamicLibrary", "TextEncoding", log]),
    tests(of: "GuestMemory"),
    tests(of: "Bus"),
    tests(of: "PCI"),
    tests(of: "CPU"),
    tests(of: "KVM", uses: ["GuestSupport", "CHost", "CKVM", "CPU", "Bus", "GuestMemory", "EventLoop"]),
    tests(
      of: "SoftCPU",
      uses: ["InstructionTorture", "CNativeExecutor", "CPU", "Bus", "GuestMemory", "EventLoop", "Chipset"]),
    tests(of: "QTestEngine", uses: ["Chipset", "CPU"]),
    tests(of: "Chipset", uses: ["CPU", "CharacterDevice"]),
    tests(of: "Firmware"),
    tests(of: "IDE", uses: ["Block"]),
    tests(of: "VGA", uses: ["Display"], excluding: ["Goldens"]),
    tests(of: "Serial", uses: ["CharacterDevice"]),
    tests(of: "Input", uses: ["Display"]),
    tests(of: "NIC", uses: ["Network"]),
    tests(of: "USB", uses: ["Block", "CharacterDevice", "Display", "HostUSB"]),
    tests(of: "Machine", uses: ["CPU", "GuestMemory"]),
    tests(of: "Control", uses: ["CharacterDevice", "JSON", "Machine", "OptionSyntax", "TextEncoding"]),
    tests(of: "martlet", uses: ["HostUSB", "Machine", "USB"]),
  ]
)
