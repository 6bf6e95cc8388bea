// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A C library that is opened when it is first wanted, and not at every start: some bring a dozen others with them.
///
/// The file name carries the number of the library's binary interface, which the headers that were compiled with stand
/// for.
public struct DynamicLibrary: @unchecked Sendable {
  // Unchecked: the handle is opaque, and looking up names in it needs no lock.
  private let handle: UnsafeMutableRawPointer

  /// Opens `file`, as the loader finds it: "libcapstone.so.4". It stays open until the process ends.
  public init(_ file: String) throws(DynamicLibraryError) {
    guard let handle = dlopen(file, RTLD_NOW | RTLD_LOCAL) else { throw .lastOne(file) }
    self.handle = handle
  }

  /// The function `name`, whose type in C is `Function`.
  public func function<Function>(_ name: String, as type: Function.Type = Function.self)
    throws(DynamicLibraryError) -> Function
  {
    unsafeBitCast(try variable(name), to: type)
  }

  /// The address of the variable `name`.
  public func variable(_ name: String) throws(DynamicLibraryError) -> UnsafeMutableRawPointer {
    guard let address = dlsym(handle, name) else { throw .lastOne(name) }
    return address
  }
}

/// Why a library or something in it cannot be had.
public struct DynamicLibraryError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The loader's words.
  public let description: String

  static func lastOne(_ name: String) -> DynamicLibraryError {
    DynamicLibraryError(description: dlerror().map { String(cString: $0) } ?? "cannot load \(name)")
  }
}
