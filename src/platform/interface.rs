//! The numbers that the system gives its network interfaces. They are the zones of IPv6 addresses
//! (RFC 4007 §11.2).

/// Returns the number of the interface with this name, or `None` where there is none.
#[cfg(unix)]
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: the call reads the string up to its end, which is there, and keeps no pointer to it.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index > 0).then_some(index)
}

/// Returns the number of the interface with this name, as `ipconfig` shows it, or `None` where there
/// is none.
#[cfg(windows)]
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    use windows_sys::Win32::NetworkManagement::IpHelper::{
        ConvertInterfaceAliasToLuid, ConvertInterfaceLuidToIndex,
    };
    use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;

    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let (mut luid, mut index) = (NET_LUID_LH { Value: 0 }, 0);
    // SAFETY: the call reads the name up to its zero, and writes one identifier.
    let failed = unsafe { ConvertInterfaceAliasToLuid(name.as_ptr(), &raw mut luid) };
    if failed != 0 {
        return None;
    }
    // SAFETY: the call reads one identifier, and writes one number.
    let failed = unsafe { ConvertInterfaceLuidToIndex(&raw const luid, &raw mut index) };
    (failed == 0).then_some(index)
}
