# Pictures of screens, as Hyper-V Manager shows them: RGB565, two bytes a pixel, the lower first.

function Compress-Bytes([byte[]]$Bytes) {
    $packed = New-Object System.IO.MemoryStream
    $gzip = New-Object System.IO.Compression.GZipStream ($packed, [System.IO.Compression.CompressionMode]::Compress)
    $gzip.Write($Bytes, 0, $Bytes.Length)
    $gzip.Dispose()
    [Convert]::ToBase64String($packed.ToArray())
}

$Operations['screenshot.take'] = {
    param($Arguments)
    $vm = Get-TheVM $Arguments.id
    Confirm-State $vm 'captured' 'Running', 'Paused'
    $space = @{ Namespace = 'root\virtualization\v2' }
    $id = $vm.Id.ToString().ToUpperInvariant()
    $width = 1024; $height = 768
    try {
        $head = @(Get-CimInstance @space -ClassName 'Msvm_VideoHead' -Filter "SystemName='$id'")[0]
        if ($head.CurrentHorizontalResolution -gt 0 -and $head.CurrentVerticalResolution -gt 0) {
            $width = [Math]::Min(1920, [int]$head.CurrentHorizontalResolution)
            $height = [Math]::Min(1200, [int]$head.CurrentVerticalResolution)
        }
    } catch { $null = $_ }  # the usual size will do
    $kind = "VirtualSystemType='Microsoft:Hyper-V:System:Realized'"
    $settings = @(Get-CimInstance @space -ClassName 'Msvm_VirtualSystemSettingData' -Filter "$kind AND VirtualSystemIdentifier='$id'")[0]
    $service = @(Get-CimInstance @space -ClassName 'Msvm_VirtualSystemManagementService')[0]
    if ($null -eq $settings -or $null -eq $service) { Stop-Operation 'OperationFailed' 'the host shows no settings of this machine' }
    $taken = Invoke-CimMethod -InputObject $service -MethodName 'GetVirtualSystemThumbnailImage' -Arguments @{
        TargetSystem = [ref]$settings; WidthPixels = [uint16]$width; HeightPixels = [uint16]$height
    }
    if ($taken.ReturnValue -eq 32775) { Confirm-State (Get-TheVM $Arguments.id) 'captured' 'Running', 'Paused' }
    if ($taken.ReturnValue -ne 0 -or $null -eq $taken.ImageData) {
        Stop-Operation 'OperationFailed' "the host takes no picture: it answers $($taken.ReturnValue)"
    }
    @{ width = $width; height = $height; image = Compress-Bytes $taken.ImageData }
}
