// SPDX-License-Identifier: GPL-2.0-or-later

import JSON

/// A command that could not be done, as it is told to the client.
struct QMPError: Error, Equatable, CustomStringConvertible {
  /// QEMU's classes (qapi/error.json); all but the first are for programs to tell apart.
  enum Class: String {
    case generic = "GenericError"
    case commandNotFound = "CommandNotFound"
    case deviceNotActive = "DeviceNotActive"
    case deviceNotFound = "DeviceNotFound"
  }

  let errorClass: Class
  /// A sentence for people.
  let description: String

  init(_ description: String, class errorClass: Class = .generic) {
    self.description = description
    self.errorClass = errorClass
  }

  /// Another error's sentence.
  init(_ error: any Error) { self.init("\(error)") }

  var value: JSONValue { ["class": .string(errorClass.rawValue), "desc": .string(description)] }
}
