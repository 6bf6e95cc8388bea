// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// What devices are called, as the host's kernel has read it when they came: nobody needs permission for that, and no
/// device is asked.
struct HostUSBStrings {
  private let directory: String

  init(directory: String = "/sys/bus/usb/devices") { self.directory = directory }

  /// Maker and product; empty if it says neither.
  func name(bus: Int, port: String) -> String {
    ["manufacturer", "product"].map { line(of: "\(directory)/\(bus)-\(port)/\($0)") }.filter { !$0.isEmpty }
      .joined(separator: " ")
  }

  private func line(of path: String) -> String {
    guard let file = fopen(path, "re") else { return "" }
    defer { fclose(file) }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let base = buffer.baseAddress, fgets(base, Int32(buffer.count), file) != nil else { return "" }
      // A device may say what it likes: no control characters on people's terminals.
      let scalars = String(cString: base).unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }
      return String(String.UnicodeScalarView(scalars)).trimmed
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    let inner = drop { $0 == " " }
    let end = inner.lastIndex { $0 != " " }.map { inner.index(after: $0) } ?? inner.startIndex
    return String(inner[..<end])
  }
}
