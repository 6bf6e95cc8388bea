// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation

/// A bare-metal guest of `Fixtures/bare-metal`, assembled when a test needs it.
enum GuestImage {
  /// The sources.
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/bare-metal")

  static let assembler = ["/usr/bin/nasm", "/usr/local/bin/nasm"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  struct AssemblyError: Error, CustomStringConvertible {
    let description: String
  }

  /// The 64 KiB ROM of the guest `name`.
  static func assemble(_ name: String) throws -> [UInt8] {
    guard let assembler else { throw AssemblyError(description: "nasm is not installed") }
    let output = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString).bin")
    defer { try? FileManager.default.removeItem(at: output) }
    let process = Process()
    process.executableURL = URL(filePath: assembler)
    process.arguments = [
      "-f", "bin", "-w+error", "-i", folder.path + "/", "-o", output.path,
      folder.appending(path: name + ".asm").path,
    ]
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let message = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw AssemblyError(description: String(decoding: message, as: UTF8.self))
    }
    return [UInt8](try Data(contentsOf: output))
  }
}
